// Where this build lies. Functions of one generated unit and not macros, so that test units are the
// same in every clone and come out of the compiler cache.
#ifndef QATLAS_TESTS_PATHS_H_
#define QATLAS_TESTS_PATHS_H_

#include <string>

namespace qatlas::paths {

std::string Programs();  // the build's programs
std::string Plugins();   // the build's plugins and their manifests
std::string Source();    // the root of the source tree

}  // namespace qatlas::paths

#endif  // QATLAS_TESTS_PATHS_H_
