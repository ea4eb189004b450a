# What `cmake --install` copies: programs, plugins, recipes, the SDK with its CMake package, and the kernels.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(qatlas_programs qatlas qatlas-manifest)
if(QATLAS_TRAINING)
  list(APPEND qatlas_programs qatlas-train)
endif()
# Programs find LibTorch where it was when they were built.
set_target_properties(${qatlas_programs} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS ${qatlas_programs} EXPORT QatlasTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

get_property(plugins GLOBAL PROPERTY QATLAS_INSTALLED_PLUGINS)
set(plugin_folder "${CMAKE_INSTALL_LIBDIR}/qatlas/plugins")
if(NOT CMAKE_INSTALL_LIBDIR STREQUAL "lib")
  # The programs look beside themselves, in ../lib/qatlas/plugins, wherever they are moved to.
  set(plugin_folder "lib/qatlas/plugins")
endif()
foreach(plugin ${plugins})
  set_target_properties(${plugin} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS ${plugin} LIBRARY DESTINATION ${plugin_folder})
  install(FILES "${QATLAS_PLUGIN_OUTPUT_DIRECTORY}/${plugin}.toml" DESTINATION ${plugin_folder})
endforeach()

install(DIRECTORY recipes/ DESTINATION share/qatlas/recipes FILES_MATCHING PATTERN "*.toml")
install(FILES LICENSE README.md DESTINATION share/doc/qatlas)
install(DIRECTORY sdk/include/qatlas DESTINATION include)
install(DIRECTORY kernels/include/qatlas/kernels DESTINATION include/qatlas)

install(TARGETS qatlas_sdk EXPORT QatlasTargets)
install(TARGETS qatlas_kernels EXPORT QatlasTargets ARCHIVE DESTINATION lib)
set_target_properties(qatlas_sdk PROPERTIES EXPORT_NAME sdk)
# The conformance kit.
install(TARGETS qatlas_conformance EXPORT QatlasTargets ARCHIVE DESTINATION lib)
if(QATLAS_TRAINING)
  install(TARGETS qatlas_conformance_torch EXPORT QatlasTargets ARCHIVE DESTINATION lib)
endif()
install(EXPORT QatlasTargets NAMESPACE qatlas:: DESTINATION lib/cmake/Qatlas)

# The component `laboratory`: the law laboratory as libraries, with the headers of their rooms.
foreach(room observe plugin forms fit compare)
  set_target_properties(qatlas_${room} PROPERTIES EXPORT_NAME ${room})
  install(TARGETS qatlas_${room} EXPORT QatlasLaboratory ARCHIVE DESTINATION lib)
  install(DIRECTORY framework/${room} DESTINATION include/qatlas-laboratory/framework
          FILES_MATCHING PATTERN "*.h")
endforeach()
if(QATLAS_SANITIZE)
  target_link_options(qatlas_observe INTERFACE -fsanitize=${QATLAS_SANITIZE})
endif()
install(EXPORT QatlasLaboratory NAMESPACE qatlas:: FILE QatlasLaboratory.cmake
        DESTINATION lib/cmake/Qatlas)
configure_package_config_file(sdk/cmake/QatlasConfig.cmake.in
  "${PROJECT_BINARY_DIR}/QatlasConfig.cmake" INSTALL_DESTINATION lib/cmake/Qatlas)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/QatlasConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/QatlasConfig.cmake"
              "${PROJECT_BINARY_DIR}/QatlasConfigVersion.cmake"
              sdk/cmake/QatlasAddPlugin.cmake sdk/cmake/QatlasLibTorch.cmake
        DESTINATION lib/cmake/Qatlas)
