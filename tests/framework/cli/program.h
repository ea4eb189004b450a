// The program `qatlas` as a person types it.
#ifndef QATLAS_TESTS_FRAMEWORK_CLI_PROGRAM_H_
#define QATLAS_TESTS_FRAMEWORK_CLI_PROGRAM_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include "tests/paths.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace qatlas::testing {

struct Output {
  int code = -1;
  std::string text;  // of both streams
  nlohmann::json json() const { return nlohmann::json::parse(text, nullptr, false); }
};

inline Output Qatlas(const std::string& arguments) {
  const std::string command =
      paths::Programs() + "/qatlas --plugin-path " + paths::Plugins() + " " + arguments + " 2>&1";
  Output output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer;
  size_t got;
  while ((got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    output.text.append(buffer.data(), got);
  }
  const int status = pclose(pipe);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

// A folder of the test's own.
class InFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("qatlas-") + test->test_suite_name() + "-" + test->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_FRAMEWORK_CLI_PROGRAM_H_
