# Language level, warnings, optimization and sanitizers, the same for every target of the tree.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# -O2 everywhere: the hot loops live in kernels/, which sets its own flags.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

add_compile_options(-Wall -Wextra -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A tenth of the compiler's time is the collection of its own garbage, which need not begin below 1 GB.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:--param ggc-min-heapsize=1000000>")
endif()
# Results must not depend on the compiler's liking for fused multiply-add.
add_compile_options(-ffp-contract=off)
if(QATLAS_SANITIZE)
  add_compile_options(-fsanitize=${QATLAS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${QATLAS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented, std::function and std::regex look uninitialized to GCC (its manual says that it does so).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()
if(QATLAS_FUZZ)
  # Coverage that libFuzzer steers by.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(QATLAS_CCACHE ccache)
if(QATLAS_CCACHE)
  # ccache needs the sloppiness to accept precompiled headers. With paths relative to the tree, all clones of it
  # share what was compiled once.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${QATLAS_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  else()
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()

# With CMAKE_UNITY_BUILD (a preset's choice) so many sources make one unit: a whole build takes a third of the time, and
# touching one file recompiles its batch. `debug` has it off.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 12 CACHE STRING "Sources a unit of CMAKE_UNITY_BUILD")

# An install() that names no component is the SDK's (QatlasInstall.cmake).
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME sdk)

# Everything that runs lies together, so that a build tree has the shape of an install.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(QATLAS_PLUGIN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/qatlas/plugins")
