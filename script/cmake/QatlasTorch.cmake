# LibTorch for the tree: the target of sdk/cmake/QatlasLibTorch.cmake, and a precompiled header of ATen.
file(GLOB QATLAS_LIBTORCH_HINTS "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch"
     "$ENV{QATLAS_VENV}/lib/python3*/site-packages/torch")
include(QatlasLibTorch)

# ATen costs 7 s a unit without this.
file(WRITE "${PROJECT_BINARY_DIR}/pch/torch_pch.cc" "// Owns the precompiled header.\n")
add_library(qatlas_torch_pch OBJECT "${PROJECT_BINARY_DIR}/pch/torch_pch.cc")
target_link_libraries(qatlas_torch_pch PRIVATE qatlas::torch absl::status absl::statusor absl::strings)
target_precompile_headers(qatlas_torch_pch PRIVATE
  <ATen/ATen.h> <ATen/Parallel.h> <torch/csrc/autograd/custom_function.h>
  <memory> <string> <vector> <map> <absl/status/statusor.h> <absl/strings/str_cat.h>
  <nlohmann/json.hpp>)
function(qatlas_use_torch target)
  target_link_libraries(${target} PRIVATE qatlas::torch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # Else CMake gives -fPIE, and GCC refuses a header precompiled with -fPIC.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fPIC>)
  endif()
  target_precompile_headers(${target} REUSE_FROM qatlas_torch_pch)
endfunction()
