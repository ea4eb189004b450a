// What must be said of the rows of a fit, lest it be a wrong one that looks right.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_NOTES_H_
#define QATLAS_FRAMEWORK_CLI_LAB_NOTES_H_

#include <string>
#include <vector>

#include "framework/cli/lab.h"
#include "framework/compare/compare.h"
#include "framework/observe/table.h"

namespace qatlas::cli {

// Appends sentences, none where nothing is wrong: rows that agree in all but the result, labels
// that contradict bits, kinds of runs that differ and that the best law does not tell apart (where
// a column explains half of the scatter of its misses), runs that it misses by far.
void NoteRows(const compare::Comparison& comparison, const LabSettings& settings,
              const observe::Table& rows, std::vector<std::string>* notes);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_NOTES_H_
