// Which LibTorch is taken, and what is said where none is. That the worker starts with it is tested
// in tests/outside.
#include "framework/launch/libtorch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FindLibTorchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qatlas-launch-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }

  static void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  // As a folder of LibTorch: the version stands in a header with a continuation line.
  std::string Folder(const std::string& name, const std::string& version) {
    const fs::path folder = root_ / name;
    Write(folder / "lib" / "libtorch_cpu.so", "");
    Write(folder / "include/torch/headeronly/version.h",
          "#pragma once\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \\\n  \"" + version +
              "\"\n");
    return folder.string();
  }
  // As pip installs it.
  std::string Environment(const std::string& name, const std::string& version) {
    const fs::path torch = root_ / name / "lib/python3.11/site-packages/torch";
    Write(torch / "lib" / "libtorch_cpu.so", "");
    Write(torch / "version.py", "from typing import Optional\n__version__ = '" + version + "'\n");
    return (root_ / name).string();
  }

  fs::path root_;
};

TEST_F(FindLibTorchTest, OptionGoesBeforeVariableBeforeEnvironments) {
  Places places;
  places.python = [this] { return Folder("python", "2.11.0"); };
  EXPECT_EQ(FindLibTorch(places, "2.11.0")->source, "python3's torch");
  places.conda = Environment("conda", "2.11.0+cpu");
  places.python = [] {
    ADD_FAILURE() << "python3 is started although conda has torch";
    return "";
  };
  EXPECT_EQ(FindLibTorch(places, "2.11.0")->source, "the Python environment " + places.conda);
  places.virtual_env = Environment("venv", "2.11.0+cu128");
  const auto venv = FindLibTorch(places, "2.11.0");
  ASSERT_TRUE(venv.ok()) << venv.status();
  EXPECT_EQ(venv->folder, places.virtual_env + "/lib/python3.11/site-packages/torch");
  EXPECT_EQ(venv->version, "2.11.0");
  places.environment = Folder("named", "2.11.0");
  EXPECT_EQ(FindLibTorch(places, "2.11.0")->source, "QATLAS_LIBTORCH");
  places.option = Folder("option", "2.11.0");
  EXPECT_EQ(FindLibTorch(places, "2.11.0")->folder, places.option);
}

TEST_F(FindLibTorchTest, AnotherVersionIsRefusedWithBothNamed) {
  Places places;
  places.virtual_env = Environment("venv", "2.10.1+cpu");
  // An activated environment was meant: nothing else is taken in its place.
  places.python = [this] { return Folder("python", "2.11.0"); };
  const auto found = FindLibTorch(places, "2.11.0");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(found.status().message()),
              AllOf(HasSubstr("LibTorch 2.10.1 in "), HasSubstr("needs 2.11.0"),
                    HasSubstr("pip install torch==2.11.0")));
}

TEST_F(FindLibTorchTest, AFolderThatIsNoneIsNotReplaced) {
  Places places;
  places.environment = (root_ / "nothing").string();
  places.virtual_env = Environment("venv", "2.11.0");
  const auto found = FindLibTorch(places, "2.11.0");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(found.status().message()),
              AllOf(HasSubstr("QATLAS_LIBTORCH names "), HasSubstr("libtorch_cpu.so")));
}

TEST_F(FindLibTorchTest, EveryPlaceIsListedWhereThereIsNone) {
  Places places;
  places.virtual_env = (root_ / "empty").string();
  places.python = [] { return std::string(); };
  const auto found = FindLibTorch(places, "2.11.0");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(found.status().message()),
      AllOf(HasSubstr("--libtorch is not given"), HasSubstr("QATLAS_LIBTORCH is not set"),
            HasSubstr(places.virtual_env + " has no torch"), HasSubstr("CONDA_PREFIX is not set"),
            HasSubstr("python3 has no torch"), HasSubstr("pip install torch==2.11.0")));
}

TEST_F(FindLibTorchTest, AVersionThatNothingSaysIsNotGuessed) {
  Write(root_ / "bare" / "lib" / "libtorch_cpu.so", "");
  Places places;
  places.option = (root_ / "bare").string();
  EXPECT_THAT(std::string(FindLibTorch(places, "2.11.0").status().message()),
              HasSubstr("LibTorch of unknown version"));
}

}  // namespace
}  // namespace qatlas::launch
