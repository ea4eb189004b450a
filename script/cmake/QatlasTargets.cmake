# One function for rooms of the framework, one for test folders, one for benchmarks.

# What nearly every unit of the laboratory includes costs it half of its time without a precompiled header; what
# nearly every test includes, two thirds.
function(qatlas_own_pch name)
  file(WRITE "${PROJECT_BINARY_DIR}/pch/${name}.cc" "// Owns the precompiled header.\n")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/pch/${name}.cc")
endfunction()
set(QATLAS_PCH_HEADERS <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/types/span.h>
    <nlohmann/json.hpp> <algorithm> <cmath> <cstdint> <map> <memory> <string> <vector>)
qatlas_own_pch(qatlas_pch)
target_precompile_headers(qatlas_pch PRIVATE ${QATLAS_PCH_HEADERS})
if(QATLAS_TESTS)
  qatlas_own_pch(qatlas_test_pch)
  target_link_libraries(qatlas_test_pch PRIVATE GTest::gmock)
  target_precompile_headers(qatlas_test_pch PRIVATE <gmock/gmock.h> ${QATLAS_PCH_HEADERS})
  configure_file("${PROJECT_SOURCE_DIR}/tests/paths.cc.in" "${PROJECT_BINARY_DIR}/tests/paths.cc" @ONLY)
  add_library(qatlas_test_paths STATIC "${PROJECT_BINARY_DIR}/tests/paths.cc")
  target_include_directories(qatlas_test_paths PRIVATE "${PROJECT_SOURCE_DIR}")
endif()
function(qatlas_use_pch target owner)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # Else CMake gives -fPIE, and GCC refuses a header precompiled with -fPIC.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fPIC>)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

# qatlas_compile_lightly(TARGET): for what waits for files and people and computes nothing. -O1 takes a quarter less of the
# compiler's time than -O2.
function(qatlas_compile_lightly target)
  target_compile_options(${target} PRIVATE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
endfunction()

# qatlas_add_room(NAME [TORCH] [LIGHT] DEPS target...): the static library qatlas::NAME of all *.cc in the folder; LIGHT:
# qatlas_compile_lightly.
function(qatlas_add_room name)
  cmake_parse_arguments(arg "TORCH;LIGHT" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  list(FILTER sources EXCLUDE REGEX "main\\.cc$")
  add_library(qatlas_${name} STATIC ${sources})
  add_library(qatlas::${name} ALIAS qatlas_${name})
  target_include_directories(qatlas_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/qatlas-laboratory>)
  target_link_libraries(qatlas_${name} PUBLIC ${arg_DEPS})
  if(arg_LIGHT)
    qatlas_compile_lightly(qatlas_${name})
  endif()
  if(arg_TORCH)
    qatlas_use_torch(qatlas_${name})
  else()
    qatlas_use_pch(qatlas_${name} qatlas_pch)
  endif()
endfunction()

# qatlas_add_tests(FOLDER [TORCH] DEPS target...): one program of all *_test.cc below tests/FOLDER.
# Without TORCH each test case is a test of CTest; with it the program is one test, since loading
# LibTorch costs half a second a process.
function(qatlas_add_tests folder)
  cmake_parse_arguments(arg "TORCH" "" "DEPS;ENVIRONMENT" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*_test.cc")
  string(REPLACE "/" "_" name "${folder}")
  set(name "${name}_test")
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE qatlas_test_paths)
  if(arg_TORCH)
    qatlas_use_torch(${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT "${arg_ENVIRONMENT}")
  else()
    qatlas_use_pch(${name} qatlas_test_pch)
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
                         PROPERTIES TIMEOUT 300 ENVIRONMENT "${arg_ENVIRONMENT}")
  endif()
endfunction()

# qatlas_add_bench(FOLDER [TORCH] DEPS target...): one Google Benchmark program of all *_bench.cc
# below tests/bench/FOLDER.
function(qatlas_add_bench folder)
  if(NOT QATLAS_BENCH)
    return()
  endif()
  cmake_parse_arguments(arg "TORCH" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/bench/${folder}/*_bench.cc")
  string(REPLACE "/" "_" name "${folder}")
  set(name "${name}_bench")
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPS} benchmark::benchmark benchmark::benchmark_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  if(arg_TORCH)
    qatlas_use_torch(${name})
  endif()
endfunction()
# qatlas_add_shell_files(PROGRAM): has the program write its man pages and its completion in bash, zsh and fish to where an
# install has them.
function(qatlas_add_shell_files program)
  set(share "${PROJECT_BINARY_DIR}/share")
  set(folders bash-completion/completions zsh/site-functions fish/vendor_completions.d man/man1)
  list(TRANSFORM folders PREPEND "${share}/")
  add_custom_command(TARGET ${program} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folders}
    COMMAND ${program} completion bash --output "${share}/bash-completion/completions/${program}"
    COMMAND ${program} completion zsh --output "${share}/zsh/site-functions/_${program}"
    COMMAND ${program} completion fish --output "${share}/fish/vendor_completions.d/${program}.fish"
    COMMAND ${program} man --output "${share}/man/man1"
    COMMENT "Completion and man pages of ${program}" VERBATIM)
endfunction()
include(GoogleTest)
