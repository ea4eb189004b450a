# What `cmake --install` copies, in three components that are also the binary packages of QatlasPackage.cmake:
#   laboratory   qatlas, laws and schemes, recipes, templates, documentation; distribution packages only
#   training     qatlas-train, quantizers and models; finds LibTorch when it starts
#   sdk          headers, find_package(Qatlas), kernels, conformance kit, the laboratory as libraries
# Nothing that is installed names a folder of the machine that built it: the tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Beside the programs wherever they are moved to, so not GNUInstallDirs' lib/<triplet>.
set(plugin_folder lib/qatlas/plugins)
set(package_folder lib/cmake/Qatlas)

install(TARGETS qatlas RUNTIME DESTINATION bin COMPONENT laboratory)
install(TARGETS qatlas-manifest EXPORT QatlasTargets RUNTIME DESTINATION bin COMPONENT sdk)
if(QATLAS_TRAINING)
  # The launcher finds LibTorch and becomes the worker.
  install(TARGETS qatlas-launch RUNTIME DESTINATION bin COMPONENT training)
  install(TARGETS qatlas-train RUNTIME DESTINATION libexec COMPONENT training)
endif()

get_property(plugins GLOBAL PROPERTY QATLAS_INSTALLED_PLUGINS)
foreach(plugin ${plugins})
  set(component laboratory)
  if(plugin MATCHES "^(quantizer|model)-")
    set(component training)
  endif()
  install(TARGETS ${plugin} LIBRARY DESTINATION ${plugin_folder} COMPONENT ${component})
  install(FILES "${QATLAS_PLUGIN_OUTPUT_DIRECTORY}/${plugin}.toml" DESTINATION ${plugin_folder}
          COMPONENT ${component})
endforeach()

install(DIRECTORY recipes/ DESTINATION share/qatlas/recipes COMPONENT laboratory
        FILES_MATCHING PATTERN "*.toml")
install(DIRECTORY sdk/template DESTINATION share/qatlas COMPONENT laboratory)
install(FILES README.md CONTRIBUTING.md DESTINATION share/doc/qatlas-laboratory COMPONENT laboratory)
install(DIRECTORY docs/ DESTINATION share/doc/qatlas-laboratory/docs COMPONENT laboratory
        FILES_MATCHING PATTERN "*.md" PATTERN "*.png")  # as in the tree, so that links between them hold
install(DIRECTORY sdk/examples DESTINATION share/qatlas COMPONENT sdk)
foreach(component laboratory training sdk)
  install(FILES LICENSE DESTINATION share/doc/qatlas-${component} RENAME copyright
          COMPONENT ${component})
endforeach()
foreach(folder bash-completion zsh fish man)
  install(DIRECTORY "${PROJECT_BINARY_DIR}/share/${folder}" DESTINATION share COMPONENT laboratory)
endforeach()

install(DIRECTORY sdk/include/qatlas DESTINATION include COMPONENT sdk)
install(DIRECTORY kernels/include/qatlas/kernels DESTINATION include/qatlas COMPONENT sdk)
install(TARGETS qatlas_sdk EXPORT QatlasTargets COMPONENT sdk)
install(TARGETS qatlas_kernels EXPORT QatlasTargets ARCHIVE DESTINATION lib COMPONENT sdk)
set_target_properties(qatlas_sdk PROPERTIES EXPORT_NAME sdk)
# The conformance kit.
install(TARGETS qatlas_conformance EXPORT QatlasTargets ARCHIVE DESTINATION lib COMPONENT sdk)
if(QATLAS_TRAINING)
  install(TARGETS qatlas_conformance_torch EXPORT QatlasTargets ARCHIVE DESTINATION lib COMPONENT sdk)
endif()
install(EXPORT QatlasTargets NAMESPACE qatlas:: DESTINATION ${package_folder} COMPONENT sdk)

# find_package's component `laboratory`: the law laboratory as libraries, with the headers of their rooms.
foreach(room observe plugin forms fit compare)
  set_target_properties(qatlas_${room} PROPERTIES EXPORT_NAME ${room})
  install(TARGETS qatlas_${room} EXPORT QatlasLaboratory ARCHIVE DESTINATION lib COMPONENT sdk)
  install(DIRECTORY framework/${room} DESTINATION include/qatlas-laboratory/framework COMPONENT sdk
          FILES_MATCHING PATTERN "*.h")
endforeach()
if(QATLAS_SANITIZE)
  # Whoever links these needs the sanitizer's library.
  target_link_options(qatlas_observe INTERFACE -fsanitize=${QATLAS_SANITIZE})
  target_link_options(qatlas_conformance INTERFACE -fsanitize=${QATLAS_SANITIZE})
endif()
install(EXPORT QatlasLaboratory NAMESPACE qatlas:: FILE QatlasLaboratory.cmake
        DESTINATION ${package_folder} COMPONENT sdk)
set(package "${PROJECT_BINARY_DIR}/${package_folder}")
configure_package_config_file(sdk/cmake/QatlasConfig.cmake.in "${package}/QatlasConfig.cmake"
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file("${package}/QatlasConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${package}/QatlasConfig.cmake" "${package}/QatlasConfigVersion.cmake"
              sdk/cmake/QatlasAddPlugin.cmake sdk/cmake/QatlasLibTorch.cmake
        DESTINATION ${package_folder} COMPONENT sdk)
# The build tree is a package as well: CMAKE_PREFIX_PATH may name it, and plugins then take its LibTorch. One that was
# configured when the package lay at its top would be found there first.
file(REMOVE "${PROJECT_BINARY_DIR}/QatlasConfig.cmake" "${PROJECT_BINARY_DIR}/QatlasConfigVersion.cmake")
export(EXPORT QatlasTargets NAMESPACE qatlas:: FILE "${package}/QatlasTargets.cmake")
export(EXPORT QatlasLaboratory NAMESPACE qatlas:: FILE "${package}/QatlasLaboratory.cmake")
foreach(file QatlasAddPlugin QatlasLibTorch)
  configure_file(sdk/cmake/${file}.cmake "${package}/${file}.cmake" COPYONLY)
endforeach()
file(CONFIGURE OUTPUT "${package}/QatlasBuildTree.cmake"
     CONTENT "list(APPEND QATLAS_LIBTORCH_HINTS \"@QATLAS_TORCH_DIR@\")\n" @ONLY)
# All that is installed, by one name.
add_custom_target(installed DEPENDS qatlas qatlas-manifest qatlas_kernels qatlas_observe qatlas_plugin
                  qatlas_forms qatlas_fit qatlas_compare qatlas_conformance ${plugins})
if(QATLAS_TRAINING)
  add_dependencies(installed qatlas-launch qatlas-train qatlas_conformance_torch)
endif()
include(QatlasPackage)
