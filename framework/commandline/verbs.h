// The verbs `completion` and `man`, which both programs have.
#ifndef QATLAS_FRAMEWORK_COMMANDLINE_VERBS_H_
#define QATLAS_FRAMEWORK_COMMANDLINE_VERBS_H_

#include <functional>

#include "CLI/App.hpp"
#include "framework/commandline/man.h"

namespace qatlas::commandline {

// Adds them; when the command line names one, `chosen` is set to what runs it and returns the exit
// code: 0; 1 where a file cannot be written; 2 for a page that there is not. `app` must have all
// its other verbs by then and outlive `chosen`.
void AddVerbs(CLI::App& app, const ManOptions& options, std::function<int()>* chosen);

}  // namespace qatlas::commandline

#endif  // QATLAS_FRAMEWORK_COMMANDLINE_VERBS_H_
