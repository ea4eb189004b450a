#include "framework/safetensors/header.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::safetensors {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string File(const std::string& header, size_t data) {
  std::string text(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(text.data(), &length, 8);
  return absl::StrCat(text, header, std::string(data, '\0'));
}

std::string ErrorOf(const std::string& header, size_t data) {
  const auto read = ReadHeader(File(header, data));
  return read.ok() ? "" : std::string(read.status().message());
}

TEST(SafetensorsHeader, ReadsTensorsAndMetadata) {
  const std::string header =
      R"({"__metadata__": {"step": "3"},
          "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
          "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
          "c": {"dtype": "I64", "shape": [0, 5], "data_offsets": [26, 26]}})";
  const std::string file = File(header, 26);
  const auto read = ReadHeader(file);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metadata.at("step"), "3");
  ASSERT_EQ(read->tensors.size(), 3u);
  const Entry& a = read->tensors.at("a");
  EXPECT_EQ(a.dtype, "F32");
  EXPECT_THAT(a.shape, ElementsAre(2, 3));
  EXPECT_EQ(a.begin, file.size() - 26);
  EXPECT_EQ(a.end, file.size() - 2);
  EXPECT_TRUE(read->tensors.at("b").shape.empty());
  EXPECT_EQ(read->tensors.at("c").begin, file.size());
}

TEST(SafetensorsHeader, KnowsTheFormatsDtypes) {
  EXPECT_EQ(BytesOfElement("F64"), 8);
  EXPECT_EQ(BytesOfElement("BF16"), 2);
  EXPECT_EQ(BytesOfElement("F8_E4M3"), 1);
  EXPECT_EQ(BytesOfElement("f32"), 0);
  EXPECT_EQ(BytesOfElement(""), 0);
}

TEST(SafetensorsHeader, RefusesWhatDoesNotFitTheFile) {
  EXPECT_THAT(std::string(ReadHeader("abc").status().message()), HasSubstr("only 3 bytes"));
  EXPECT_THAT(std::string(ReadHeader(std::string(8, '\xff')).status().message()),
              HasSubstr("more than 100000000"));
  EXPECT_THAT(std::string(ReadHeader(File("{}", 0).substr(0, 9)).status().message()),
              HasSubstr("truncated"));
  const auto tensor = [](const std::string& shape, const std::string& offsets) {
    return absl::StrCat(R"({"a": {"dtype": "U8", "shape": )", shape, R"(, "data_offsets": )",
                        offsets, "}}");
  };
  EXPECT_EQ(ErrorOf(tensor("[2]", "[0, 2]"), 2), "");
  EXPECT_THAT(ErrorOf(tensor("[2]", "[0, 2]"), 3), HasSubstr("belong to none"));
  EXPECT_THAT(ErrorOf(tensor("[2]", "[0, 2]"), 1), HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf(tensor("[2]", "[1, 3]"), 3), HasSubstr("gap"));
  EXPECT_THAT(ErrorOf(tensor("[3]", "[0, 2]"), 2), HasSubstr("another number of bytes"));
  EXPECT_THAT(ErrorOf(tensor("[2]", "[2, 0]"), 2), HasSubstr("ends before it begins"));
  EXPECT_THAT(ErrorOf(tensor("[-2]", "[0, 2]"), 2), HasSubstr("no size"));
  EXPECT_THAT(ErrorOf(tensor("[2]", "[0]"), 2), HasSubstr("two whole numbers"));
  // 2^32 x 2^32 bytes are 0 bytes modulo 2^64.
  EXPECT_THAT(ErrorOf(tensor("[4294967296, 4294967296]", "[0, 0]"), 0),
              HasSubstr("another number of bytes"));
}

TEST(SafetensorsHeader, RefusesWhatIsNoHeader) {
  EXPECT_THAT(ErrorOf("[]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf("{", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf(R"({"a": {"dtype": 7, "shape": [], "data_offsets": [0, 0]}})", 0),
              HasSubstr("dtype is no text"));
  EXPECT_THAT(ErrorOf(R"({"a": {"dtype": "F31", "shape": [], "data_offsets": [0, 0]}})", 0),
              HasSubstr("unknown dtype \"F31\""));
  EXPECT_THAT(ErrorOf(R"({"__metadata__": {"a": 1}})", 0), HasSubstr("__metadata__.a"));
  EXPECT_THAT(ErrorOf(R"({"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]},
                          "a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}})",
                      0),
              HasSubstr("'a' occurs twice"));
}

// Far deeper than any stack: nothing here may recurse.
TEST(SafetensorsHeader, BearsDeepNesting) {
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '['), 0), HasSubstr("not a JSON object"));
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_THAT(ErrorOf(absl::StrCat(R"({"a": {"dtype": )", deep,
                                   R"(, "shape": [], "data_offsets": [0, 0]}})"),
                      0),
              HasSubstr("dtype is no text"));
}

}  // namespace
}  // namespace qatlas::safetensors
