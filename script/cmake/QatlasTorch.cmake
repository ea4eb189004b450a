# LibTorch as imported targets of our own: `find_package(Torch)` of a CUDA build stops where there is
# no CUDA toolkit, and the CPU side of the same package serves there.
#   QATLAS_LIBTORCH  folder that holds include/ and lib/ (an option; default: the project's .venv)
set(QATLAS_LIBTORCH "" CACHE PATH "LibTorch folder with include/ and lib/; empty: the project's .venv")
file(STRINGS "${PROJECT_SOURCE_DIR}/script/torch-version" QATLAS_TORCH_WANTED LIMIT_COUNT 1)

set(_torch "${QATLAS_LIBTORCH}")
if(NOT _torch AND DEFINED ENV{QATLAS_LIBTORCH})
  set(_torch "$ENV{QATLAS_LIBTORCH}")
endif()
if(NOT _torch)
  file(GLOB _candidates "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch"
       "$ENV{QATLAS_VENV}/lib/python3*/site-packages/torch")
  if(_candidates)
    list(GET _candidates 0 _torch)
  endif()
endif()
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found${_torch}. Run script/bootstrap, or name one with "
                      "-DQATLAS_LIBTORCH=FOLDER, or build the law laboratory alone with "
                      "-DQATLAS_TRAINING=OFF.")
endif()
# The version stands on a continuation line of the macro.
file(READ "${_torch}/include/torch/headeronly/version.h" _text)
string(REGEX MATCH "define TORCH_VERSION [^\"]*\"([^\"]+)\"" _match "${_text}")
set(QATLAS_TORCH_VERSION "${CMAKE_MATCH_1}")
if(QATLAS_TORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch in ${_torch} is ${QATLAS_TORCH_VERSION}; 2.11 or newer is needed.")
endif()
message(STATUS "LibTorch ${QATLAS_TORCH_VERSION} in ${_torch}")

add_library(qatlas_torch INTERFACE)
target_include_directories(qatlas_torch SYSTEM INTERFACE
  "${_torch}/include" "${_torch}/include/torch/csrc/api/include")
# --no-as-needed is not wanted: libtorch_cpu alone starts in half the time of the whole; the worker
# opens libtorch_cuda when a CUDA device is asked for.
target_link_libraries(qatlas_torch INTERFACE "${_torch}/lib/libtorch_cpu.so" "${_torch}/lib/libc10.so")
target_link_options(qatlas_torch INTERFACE "-Wl,-rpath,${_torch}/lib" "-Wl,-rpath-link,${_torch}/lib")
# at::parallel_for is a template over OpenMP: without the flag it runs on one thread and says nothing.
# GCC's libgomp has the same SONAME as the one in LibTorch's folder, so there is one thread pool.
target_compile_options(qatlas_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(qatlas_torch INTERFACE -fopenmp)
target_compile_definitions(qatlas_torch INTERFACE QATLAS_TORCH_VERSION="${QATLAS_TORCH_VERSION}")
add_library(qatlas::torch ALIAS qatlas_torch)
set(QATLAS_TORCH_DIR "${_torch}")
set(QATLAS_TORCH_HAS_CUDA OFF)
if(EXISTS "${_torch}/lib/libtorch_cuda.so")
  set(QATLAS_TORCH_HAS_CUDA ON)
endif()

# ATen costs 7 s a unit without this.
file(WRITE "${PROJECT_BINARY_DIR}/pch/torch_pch.cc" "// Owns the precompiled header.\n")
add_library(qatlas_torch_pch OBJECT "${PROJECT_BINARY_DIR}/pch/torch_pch.cc")
target_link_libraries(qatlas_torch_pch PRIVATE qatlas::torch absl::status absl::statusor absl::strings)
target_precompile_headers(qatlas_torch_pch PRIVATE
  <ATen/ATen.h> <ATen/Parallel.h> <torch/csrc/autograd/custom_function.h>
  <memory> <string> <vector> <map> <absl/status/statusor.h>)
function(qatlas_use_torch target)
  target_link_libraries(${target} PRIVATE qatlas::torch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # Else CMake gives -fPIE, and GCC refuses a header precompiled with -fPIC.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fPIC>)
  endif()
  target_precompile_headers(${target} REUSE_FROM qatlas_torch_pch)
endfunction()
