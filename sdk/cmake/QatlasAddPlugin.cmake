# qatlas_add_plugin(KIND NAME [TORCH] [KERNELS] SOURCES file...)
#   KIND     quantizer, scheme, model or law
#   NAME     file name: the library becomes <kind>-<name>.so, its manifest <kind>-<name>.toml beside it
#   TORCH    the plugin uses LibTorch (quantizers and models always do)
#   KERNELS  the plugin uses the fused kernels of qatlas::kernels
# The manifest is generated from the built library, so the two cannot disagree.
function(qatlas_add_plugin kind name)
  cmake_parse_arguments(arg "TORCH;KERNELS" "" "SOURCES" ${ARGN})
  if(kind STREQUAL "quantizer" OR kind STREQUAL "model")
    set(arg_TORCH ON)
  endif()
  set(target "${kind}-${name}")
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME "${target}" DEFINE_SYMBOL ""
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${target} PRIVATE qatlas::sdk)
  # Nothing but the entry point is exported, whatever static libraries and templates bring along.
  set(exports "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(CONFIGURE OUTPUT "${exports}" CONTENT "{ global: qatlas_plugin; local: *; };\n")
  target_link_options(${target} PRIVATE "LINKER:--version-script=${exports}")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${exports}")
  if(QATLAS_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY "${QATLAS_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
  if(arg_TORCH)
    if(COMMAND qatlas_use_torch)
      qatlas_use_torch(${target})
    else()
      include(QatlasLibTorch)
      target_link_libraries(${target} PRIVATE qatlas::torch)
    endif()
  endif()
  if(arg_KERNELS AND arg_TORCH AND NOT TARGET qatlas::kernels_torch)
    add_library(qatlas::kernels_torch INTERFACE IMPORTED)
    target_link_libraries(qatlas::kernels_torch INTERFACE qatlas::kernels qatlas::torch)
  endif()
  if(arg_KERNELS)
    target_link_libraries(${target} PRIVATE qatlas::kernels $<$<BOOL:${arg_TORCH}>:qatlas::kernels_torch>)
  endif()
  if(TARGET qatlas-manifest)
    set(manifest_tool qatlas-manifest)
  else()
    set(manifest_tool qatlas::qatlas-manifest)
  endif()
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${manifest_tool} $<TARGET_FILE:${target}> "$<TARGET_FILE_DIR:${target}>/${target}.toml"
    COMMENT "Manifest of ${target}" VERBATIM)
  add_dependencies(${target} ${manifest_tool})
  set_property(GLOBAL APPEND PROPERTY QATLAS_PLUGIN_TARGETS ${target})
endfunction()

# qatlas_add_plugin_test(KIND NAME SOURCES file...): a GoogleTest program for a plugin of qatlas_add_plugin(), linked with
# the conformance kit, as the test <kind>-<name> of CTest. The sources know the built library as QATLAS_PLUGIN_FILE.
function(qatlas_add_plugin_test kind name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  set(target "${kind}-${name}")
  if(NOT TARGET ${target})
    message(FATAL_ERROR "qatlas_add_plugin_test(${kind} ${name}): there is no such plugin; call "
                        "qatlas_add_plugin(${kind} ${name} ...) first")
  endif()
  find_package(GTest REQUIRED)
  add_executable(${target}-test ${arg_SOURCES})
  target_link_libraries(${target}-test PRIVATE qatlas::conformance GTest::gtest GTest::gtest_main)
  if(kind STREQUAL "quantizer" OR kind STREQUAL "model")
    target_link_libraries(${target}-test PRIVATE qatlas::conformance_torch qatlas::torch)
  endif()
  target_compile_definitions(${target}-test PRIVATE QATLAS_PLUGIN_FILE="$<TARGET_FILE:${target}>")
  add_dependencies(${target}-test ${target})
  add_test(NAME ${target} COMMAND ${target}-test)
endfunction()
