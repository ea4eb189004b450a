# Binary packages (script/package): a .deb for each component of QatlasInstall.cmake, and one tarball with everything.
set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGE_CONTACT "The Qatlas authors")
set(CPACK_PACKAGE_VENDOR "Qatlas")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/package")
set(CPACK_PACKAGE_FILE_NAME "qatlas-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_COMPONENTS_ALL laboratory sdk)
if(QATLAS_TRAINING)
  list(APPEND CPACK_COMPONENTS_ALL training)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_COMPONENT_TRAINING_DEPENDS laboratory)
set(CPACK_COMPONENT_SDK_DEPENDS laboratory)
# What the programs link comes from the distribution's own tables; LibTorch lies in no package.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(QATLAS_TRAINING)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${QATLAS_TORCH_DIR}/lib")
endif()

set(CPACK_DEBIAN_LABORATORY_PACKAGE_NAME qatlas-laboratory)
set(CPACK_COMPONENT_LABORATORY_DESCRIPTION
  "Scaling laws of quantization-aware training
 Fits and compares scaling laws on tables of runs, plans and reports them. Trains
 models where qatlas-training is installed.")
set(CPACK_DEBIAN_TRAINING_PACKAGE_NAME qatlas-training)
set(CPACK_DEBIAN_TRAINING_PACKAGE_RECOMMENDS "python3-venv")
set(CPACK_COMPONENT_TRAINING_DESCRIPTION
  "Quantization-aware training for Qatlas
 The worker, quantizers and models. Needs LibTorch ${QATLAS_TORCH_VERSION}, which is looked for
 in QATLAS_LIBTORCH and in the active Python environment (pip install torch==${QATLAS_TORCH_VERSION}).")
set(CPACK_DEBIAN_SDK_PACKAGE_NAME qatlas-sdk)
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS
  "cmake (>= 3.25), g++ | clang, libabsl-dev, nlohmann-json3-dev, libnlopt-dev, libnlopt-cxx-dev, libboost-filesystem-dev")
set(CPACK_DEBIAN_SDK_PACKAGE_RECOMMENDS "ninja-build, libgtest-dev")
set(CPACK_COMPONENT_SDK_DESCRIPTION
  "Headers and CMake package for plugins of Qatlas
 Quantizers, schemes, models and law forms of one's own; the kernels; the laboratory
 as C++ libraries.")
include(CPack)
