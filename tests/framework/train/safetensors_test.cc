#include "framework/train/safetensors.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Bytes;
using testing::ScratchFolder;

std::string WithHeader(const std::string& header, const std::string& data) {
  std::string text(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

// The error of opening a file with this content; "" where it opens.
std::string ErrorOf(const ScratchFolder& folder, const std::string& content) {
  std::ofstream(folder / "x.safetensors", std::ios::binary) << content;
  auto file = SafetensorsFile::Open(folder / "x.safetensors");
  return file.ok() ? "" : std::string(file.status().message());
}

TEST(SafetensorsTest, WritesAndReadsEveryDtypeAndShape) {
  ScratchFolder folder;
  std::vector<NamedTensor> tensors;
  for (at::ScalarType dtype : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong,
                               at::kInt, at::kShort, at::kChar, at::kByte, at::kBool}) {
    tensors.push_back({c10::toString(dtype), at::arange(7).to(dtype)});
  }
  tensors.push_back({"scalar", at::full({}, 3.5)});
  tensors.push_back({"empty", at::empty({0, 4})});
  tensors.push_back({"transposed", at::arange(6).to(at::kFloat).view({2, 3}).t()});
  const auto path = folder / "a.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, tensors, {{"step", "3"}, {"text", "a \"b\"\n"}}).ok());
  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata().at("text"), "a \"b\"\n");
  EXPECT_EQ((*file)->Names().size(), tensors.size());
  for (const NamedTensor& tensor : tensors) {
    auto read = (*file)->Read(tensor.name);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->scalar_type(), tensor.tensor.scalar_type());
    EXPECT_TRUE(at::equal(*read, tensor.tensor)) << tensor.name;
  }
  EXPECT_FALSE((*file)->Read("other").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "a.safetensors.tmp"));
}

TEST(SafetensorsTest, TensorsOutliveTheirFileAndDoNotWriteToIt) {
  ScratchFolder folder;
  const auto path = folder / "a.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, {{"a", at::ones({100})}}, {}).ok());
  const std::string before = Bytes(path);
  at::Tensor a = *(*SafetensorsFile::Open(path))->Read("a");
  std::filesystem::remove(path);
  a.add_(1);
  EXPECT_EQ(a.sum().item<float>(), 200);
  std::ofstream(path, std::ios::binary) << before;
  EXPECT_EQ((*(*SafetensorsFile::Open(path))->Read("a")).sum().item<float>(), 100);
}

TEST(SafetensorsTest, SaysWhatIsWrongWithAFile) {
  ScratchFolder folder;
  const std::string entry = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string data(8, 'x');
  EXPECT_EQ(ErrorOf(folder, WithHeader(entry, data)), "");
  const std::pair<std::string, std::string> cases[] = {
      {"abc", "only 3 bytes"},
      {WithHeader(entry, "xxxx"), "truncated"},
      {WithHeader(entry, data + "y"), "belong to none"},
      {WithHeader(entry, data).substr(0, 20), "truncated"},
      {WithHeader("[1]", ""), "not a JSON object"},
      {WithHeader("{", ""), "not a JSON object"},
      {WithHeader(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", data),
       "unknown dtype"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", data),
       "another number"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", data), "entry -2"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})", data),
       "entry 2.5"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", data),
       "before it begins"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", data), "truncated"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", data), "a gap"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2]}})", data), "exactly"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
                  data),
       "another number"},
      {WithHeader(R"({"__metadata__":{"a":1}})", ""), "not a string"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                  data),
       "overlap"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                  data),
       "occurs twice"},
      {std::string(8, '\xff') + entry, "more than"},
  };
  for (const auto& [content, what] : cases) {
    EXPECT_TRUE(absl::StrContains(ErrorOf(folder, content), what))
        << what << " is not in: " << ErrorOf(folder, content);
  }
  EXPECT_EQ(SafetensorsFile::Open(folder / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(SafetensorsFile::Open(folder.path()).ok());
}

TEST(SafetensorsTest, NoDamagedFileCrashes) {
  ScratchFolder folder;
  const auto path = folder / "a.safetensors";
  ASSERT_TRUE(
      WriteSafetensors(path, {{"a", at::ones({3})}, {"b", at::ones({2, 2})}}, {{"k", "v"}}).ok());
  const std::string good = Bytes(path);
  std::mt19937 random(5);
  int opened = 0;
  for (int i = 0; i < 600; ++i) {
    std::string bad = good;
    for (int k = 0; k < 1 + i % 3; ++k) bad[random() % 200] = static_cast<char>(random());
    if (i % 5 == 0) bad.resize(random() % bad.size());
    std::ofstream(path, std::ios::binary) << bad;
    auto file = SafetensorsFile::Open(path);
    if (!file.ok()) continue;
    ++opened;
    for (const std::string& name : (*file)->Names()) (void)(*file)->Read(name)->clone();
  }
  EXPECT_LT(opened, 300);
}

}  // namespace
}  // namespace qatlas::train
