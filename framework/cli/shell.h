// What the values of `qatlas`' command line complete to.
#ifndef QATLAS_FRAMEWORK_CLI_SHELL_H_
#define QATLAS_FRAMEWORK_CLI_SHELL_H_

#include "framework/cli/session.h"
#include "framework/commandline/completion.h"

namespace qatlas::cli {

// Names of recipes, components and losses, asked for when they are needed. argc, argv: of the
// program; a --plugin-path among the words counts.
commandline::ValueKinds ShellValues(Session& session, int argc, const char* const* argv);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_SHELL_H_
