# LibTorch as a target of our own, qatlas::torch: `find_package(Torch)` of a CUDA build stops where there is no
# CUDA toolkit, and the CPU side of the same package serves there. Looked for, in this order:
#   QATLAS_LIBTORCH        option or environment variable: folder that holds include/ and lib/
#   QATLAS_LIBTORCH_HINTS  list of folders
#   the active Python environment's torch ($VIRTUAL_ENV)
include_guard(GLOBAL)
set(QATLAS_LIBTORCH "" CACHE PATH "LibTorch folder with include/ and lib/; empty: a Python environment's torch")

set(_torch "${QATLAS_LIBTORCH}")
if(NOT _torch AND DEFINED ENV{QATLAS_LIBTORCH})
  set(_torch "$ENV{QATLAS_LIBTORCH}")
endif()
file(GLOB _active "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages/torch")
foreach(_candidate ${QATLAS_LIBTORCH_HINTS} ${_active})
  if(NOT _torch AND EXISTS "${_candidate}/lib/libtorch_cpu.so")
    set(_torch "${_candidate}")
  endif()
endforeach()
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  if(_torch)
    set(_missing "QATLAS_LIBTORCH names ${_torch}, which holds no lib/libtorch_cpu.so.")
  elseif("$ENV{VIRTUAL_ENV}" STREQUAL "")
    set(_missing "LibTorch not found: QATLAS_LIBTORCH is not set, and no Python environment is active.")
  else()
    string(CONCAT _missing "LibTorch not found: QATLAS_LIBTORCH is not set, and the Python environment "
                           "$ENV{VIRTUAL_ENV} has no torch.")
  endif()
  if(QATLAS_SDK_TORCH_VERSION)  # an install
    string(CONCAT _advice "Activate a Python environment with torch==${QATLAS_SDK_TORCH_VERSION}, or name LibTorch's "
                          "folder with -DQATLAS_LIBTORCH=FOLDER; `qatlas doctor` says what it finds.")
  else()
    string(CONCAT _advice "Run script/bootstrap, or name LibTorch's folder with -DQATLAS_LIBTORCH=FOLDER, or build "
                          "the law laboratory alone with -DQATLAS_TRAINING=OFF.")
  endif()
  message(FATAL_ERROR "${_missing} ${_advice}")
endif()
# The version stands on a continuation line of the macro.
file(READ "${_torch}/include/torch/headeronly/version.h" _text)
string(REGEX MATCH "define TORCH_VERSION [^\"]*\"([^\"]+)\"" _match "${_text}")
set(QATLAS_TORCH_VERSION "${CMAKE_MATCH_1}")
if(QATLAS_TORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch in ${_torch} is ${QATLAS_TORCH_VERSION}; 2.11 or newer is needed.")
endif()
# A plugin must have the very LibTorch that the programs have.
if(QATLAS_SDK_TORCH_VERSION AND NOT QATLAS_TORCH_VERSION STREQUAL QATLAS_SDK_TORCH_VERSION)
  message(FATAL_ERROR "LibTorch in ${_torch} is ${QATLAS_TORCH_VERSION}, but this Qatlas was built with "
                      "${QATLAS_SDK_TORCH_VERSION}; name that one with -DQATLAS_LIBTORCH=FOLDER.")
endif()
message(STATUS "LibTorch ${QATLAS_TORCH_VERSION} in ${_torch}")

add_library(qatlas_torch INTERFACE)
target_include_directories(qatlas_torch SYSTEM INTERFACE
  "${_torch}/include" "${_torch}/include/torch/csrc/api/include")
# --no-as-needed is not wanted: libtorch_cpu alone starts in half the time of the whole; the worker
# opens libtorch_cuda when a CUDA device is asked for.
target_link_libraries(qatlas_torch INTERFACE "${_torch}/lib/libtorch_cpu.so" "${_torch}/lib/libc10.so")
# CMake itself gives what it builds a run path to libraries named by their path, and takes it away on install.
target_link_options(qatlas_torch INTERFACE "-Wl,-rpath-link,${_torch}/lib")
# at::parallel_for is a template over OpenMP: without the flag it runs on one thread and says nothing.
# GCC's libgomp has the same SONAME as the one in LibTorch's folder, so there is one thread pool.
target_compile_options(qatlas_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(qatlas_torch INTERFACE -fopenmp)
target_compile_definitions(qatlas_torch INTERFACE QATLAS_TORCH_VERSION="${QATLAS_TORCH_VERSION}")
# LibTorch is built with NDEBUG, and some of its classes (at::RecordFunction) have other members without it.
target_compile_definitions(qatlas_torch INTERFACE $<$<NOT:$<CONFIG:Release>>:NDEBUG>)
add_library(qatlas::torch ALIAS qatlas_torch)
set(QATLAS_TORCH_DIR "${_torch}")
set(QATLAS_TORCH_HAS_CUDA OFF)
if(EXISTS "${_torch}/lib/libtorch_cuda.so")
  set(QATLAS_TORCH_HAS_CUDA ON)
endif()
