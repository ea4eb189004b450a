// The source of a plugin from a template: a folder of text files with placeholders, @plugin@ and
// others.
#ifndef QATLAS_FRAMEWORK_FORMS_PROJECT_H_
#define QATLAS_FRAMEWORK_FORMS_PROJECT_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace qatlas::forms {

struct ProjectFile {  // A file of a project, not written yet.
  std::string path;   // in the project's folder
  std::string text;   // all that it holds
};

// What a placeholder stands for.
using TemplateValues = std::map<std::string, std::string>;

// Values that every template uses: plugin (half-life), file (half_life), type (HalfLife) and kind.
// InvalidArgument: a name that is not small letters, digits and single '-' between them, beginning
// with a letter, or one that C++ keeps for itself.
absl::StatusOr<TemplateValues> NameValues(const std::string& kind, const std::string& name);

// Every file below the folders, by path, with placeholders replaced; a file called plugin.* or
// plugin_test.* takes the plugin's name. NotFound: a folder that is missing. Internal: a
// placeholder that no value is given for.
absl::StatusOr<std::vector<ProjectFile>> FillTemplate(
    const std::vector<std::filesystem::path>& folders, const TemplateValues& values);

// Writes a project into a folder that is empty or not there yet. AlreadyExists where something lies
// there, and then nothing is written; Unavailable where a folder or file cannot be written.
absl::Status WriteProject(const std::filesystem::path& folder,
                          const std::vector<ProjectFile>& files);

}  // namespace qatlas::forms

#endif  // QATLAS_FRAMEWORK_FORMS_PROJECT_H_
