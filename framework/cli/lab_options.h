// Options of the command line that several verbs of the laboratory share.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_OPTIONS_H_
#define QATLAS_FRAMEWORK_CLI_LAB_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "framework/cli/lab.h"
#include "framework/cli/lab_laws.h"

namespace qatlas::cli {

// Help of --law.
extern const char kLawHelp[];
extern const char kLawExamples[];

// --law may be given several times, each with several laws.
std::vector<std::string> LawsOf(const std::vector<std::string>& items);

// --fix, --tie, --per, --start, --bounds, --positive.
void AddParameterOptions(CLI::App* verb, ParameterItems& items);
// How laws are fitted: --loss, --huber-delta, --non-positive, --noise, --exact-noise, --weight,
// --sandwich, --search, --stages.
void AddFitOptions(CLI::App* verb, LabSettings& settings);
// All of `fit`, `compare` and `report`, with --map.
void AddLabOptions(CLI::App* verb, std::vector<std::string>& mapping, LabSettings& settings,
                   ParameterItems& parameters);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_OPTIONS_H_
