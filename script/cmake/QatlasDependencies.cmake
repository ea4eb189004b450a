# Libraries from the distribution. script/bootstrap installs them.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(NLopt REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS filesystem)
find_package(PkgConfig REQUIRED)
if(QATLAS_TRAINING)
  pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
endif()
if(QATLAS_TESTS)
  find_package(GTest REQUIRED)
endif()
if(QATLAS_BENCH)
  find_package(benchmark REQUIRED)
endif()

# toml++ is used header-only with exceptions off: parse errors come back as values.
add_library(qatlas_toml INTERFACE)
# Its own target chooses the shared library, which is built with exceptions: only its headers are taken.
target_include_directories(qatlas_toml SYSTEM INTERFACE
  $<TARGET_PROPERTY:tomlplusplus::tomlplusplus,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(qatlas_toml INTERFACE TOML_EXCEPTIONS=0 TOML_HEADER_ONLY=1)
add_library(qatlas::toml ALIAS qatlas_toml)

# Plotly comes as one file of JavaScript from the package of the same name.
find_file(QATLAS_PLOTLY plotly.min.js
          HINTS "${PROJECT_SOURCE_DIR}/.venv/share/qatlas" "$ENV{QATLAS_VENV}/share/qatlas"
          NO_CACHE)
if(NOT QATLAS_PLOTLY)
  message(FATAL_ERROR "plotly.min.js not found. Run script/bootstrap first, or set QATLAS_PLOTLY.")
endif()
