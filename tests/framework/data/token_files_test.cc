#include "framework/data/token_files.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string LlmcHeader(int32_t magic, int32_t version, int32_t tokens) {
  std::vector<int32_t> header(256, 0);
  header[0] = magic;
  header[1] = version;
  header[2] = tokens;
  return {reinterpret_cast<const char*>(header.data()), 1024};
}

std::string NpyHeader(const std::string& dictionary, char version = 1) {
  std::string header = std::string("\x93NUMPY") + version + '\0';
  const size_t lengths = version == 1 ? 2 : 4;
  std::string text = dictionary;
  while ((header.size() + lengths + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  for (size_t i = 0; i < lengths; ++i) header += static_cast<char>((text.size() >> (8 * i)) & 255);
  return header + text;
}

std::string NpyOf(const std::string& type, const std::string& shape) {
  return NpyHeader("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }");
}

class TokenFilesTest : public DataTest {
 protected:
  static std::vector<int64_t> Ids(const std::filesystem::path& path, const std::string& format,
                                  const std::string& dtype = "uint16") {
    const auto run = OpenTokenFile(path, format, dtype);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? ReadAll(TokenStore({*run})) : std::vector<int64_t>();
  }
  static std::string Error(const std::filesystem::path& path, const std::string& format = "auto") {
    const auto run = OpenTokenFile(path, format, "uint16");
    EXPECT_FALSE(run.ok());
    EXPECT_THAT(Message(run.status()), HasSubstr(path.string()));
    return Message(run.status());
  }
};

TEST_F(TokenFilesTest, ReadsEveryFormat) {
  const std::vector<int64_t> ids = {3, 1, 65535, 0};
  EXPECT_EQ(Ids(PutIds<uint16_t>("a", {3, 1, 65535, 0}), "auto"), ids);
  EXPECT_EQ(Ids(PutIds<uint32_t>("b", {3, 1, 65535, 0}), "raw", "uint32"), ids);
  EXPECT_EQ(Ids(PutIds<uint16_t>("c", {3, 1, 65535, 0}, LlmcHeader(20240520, 1, 4)), "auto"), ids);
  EXPECT_EQ(Ids(PutIds<uint16_t>("c", {3, 1, 65535, 0}, LlmcHeader(20240520, 1, 4)), "llmc"), ids);
  EXPECT_EQ(Ids(PutIds<uint32_t>("d", {3, 1, 65535, 0}, LlmcHeader(20240801, 7, 4)), "auto"), ids);
  EXPECT_EQ(Ids(PutIds<uint16_t>("e", {3, 1, 65535, 0}, NpyOf("<u2", "(4,)")), "auto"), ids);
  EXPECT_EQ(Ids(PutIds<uint32_t>("f", {3, 1, 65535, 0}, NpyOf("<u4", "(4,)")), "npy"), ids);
  EXPECT_EQ(Ids(PutIds<int32_t>("g", {3, 1, 65535, 0}, NpyOf("<i4", "(4,)")), "auto"), ids);
  EXPECT_EQ(Ids(PutIds<int64_t>("h", {3, 1, 65535, 0}, NpyOf("<i8", "(4,)")), "auto"), ids);
  const std::string second =
      NpyHeader("{\"shape\" : ( 4 , ), \"descr\" : \"<u2\", \"fortran_order\": True}", 2);
  EXPECT_EQ(Ids(PutIds<uint16_t>("i", {3, 1, 65535, 0}, second), "auto"), ids);
  // "raw" insists, whatever the first bytes are.
  EXPECT_EQ(Ids(PutIds<uint16_t>("c", {5}, LlmcHeader(20240520, 1, 1)), "raw").size(), 513u);
}

TEST_F(TokenFilesTest, TruncatedFilesAreErrors) {
  EXPECT_THAT(Error(Put("raw", "abc")), HasSubstr("3 bytes are no whole number of uint16"));
  EXPECT_THAT(Error(PutIds<uint16_t>("c", {1, 2}, LlmcHeader(20240520, 1, 3))),
              AllOf(HasSubstr("truncated"), HasSubstr("3 tokens"), HasSubstr("room for 2")));
  EXPECT_THAT(Error(PutIds<uint16_t>("c", {1, 2}, LlmcHeader(20240520, 1, 1))),
              HasSubstr("2 bytes follow"));
  EXPECT_THAT(Error(PutIds<uint16_t>("c", {}, LlmcHeader(20240520, 1, -1))),
              HasSubstr("truncated"));
  EXPECT_THAT(Error(Put("c", LlmcHeader(20240520, 1, 1).substr(0, 500))), HasSubstr("truncated"));
  EXPECT_THAT(Error(PutIds<uint16_t>("e", {1, 2}, NpyOf("<u2", "(3,)"))), HasSubstr("truncated"));
  EXPECT_THAT(Error(PutIds<uint16_t>("e", {1}, NpyOf("<i8", "(4611686018427387904,)"))),
              HasSubstr("truncated"));
  const std::string whole = NpyOf("<u2", "(0,)");
  for (size_t length = 6; length < whole.size(); length += 5) {
    EXPECT_FALSE(OpenTokenFile(Put("e", whole.substr(0, length)), "auto", "uint16").ok()) << length;
  }
}

TEST_F(TokenFilesTest, UnknownHeadersAreErrors) {
  EXPECT_THAT(Error(Put("c", LlmcHeader(20240520, 9, 0)), "llmc"), HasSubstr("version 9"));
  EXPECT_THAT(Error(Put("c", "short"), "llmc"), HasSubstr("truncated"));
  EXPECT_THAT(Error(Put("e", "no numpy"), "npy"), HasSubstr("magic"));
  EXPECT_THAT(Error(PutIds<float>("e", {1}, NpyOf("<f4", "(1,)"))), HasSubstr("<f4"));
  EXPECT_THAT(Error(PutIds<uint16_t>("e", {1}, NpyOf(">u2", "(1,)"))), HasSubstr(">u2"));
  EXPECT_THAT(Error(PutIds<uint16_t>("e", {1, 2}, NpyOf("<u2", "(1, 2)"))),
              HasSubstr("one dimension"));
  EXPECT_THAT(Error(PutIds<uint16_t>("e", {1}, NpyOf("<u2", "()"))), HasSubstr("one dimension"));
  EXPECT_THAT(Error(Put("e", NpyHeader("{'descr': '<u2', 'shape':"))), HasSubstr("one dimension"));
  EXPECT_THAT(Error(Put("e", NpyHeader("{}"))), HasSubstr("no descr"));
  EXPECT_THAT(Error(Put("e", NpyHeader("{}", 4))), HasSubstr("version 4"));
}

TEST_F(TokenFilesTest, ValidationIsTheTailOrFilesOfItsOwn) {
  const auto a = PutIds<uint16_t>("a", {0, 1, 2, 3, 4, 5});
  const auto b = PutIds<uint32_t>("b", {6, 7, 8, 9}, NpyOf("<u4", "(4,)"));
  SourceSpec spec;
  spec.validation_fraction = .3;
  auto streams = OpenTokenStreams(spec, {a, b}, {});
  ASSERT_TRUE(streams.ok());
  EXPECT_THAT(ReadAll(streams->train), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(ReadAll(streams->validation), ElementsAre(7, 8, 9));
  EXPECT_EQ(streams->dtype, "mixed");
  streams = OpenTokenStreams(spec, {a}, {b});
  EXPECT_EQ(streams->train.size(), 6);
  EXPECT_THAT(ReadAll(streams->validation), ElementsAre(6, 7, 8, 9));
  spec.validation_fraction = .001;  // at least one token
  EXPECT_THAT(ReadAll(OpenTokenStreams(spec, {a}, {})->validation), ElementsAre(5));
}

TEST_F(TokenFilesTest, NoTokensIsAnError) {
  SourceSpec spec;
  const auto empty = Put("empty", "");
  const auto some = PutIds<uint16_t>("some", {1, 2});
  EXPECT_THAT(Message(OpenTokenStreams(spec, {empty}, {}).status()), HasSubstr("0 tokens"));
  EXPECT_THAT(Message(OpenTokenStreams(spec, {some}, {empty}).status()),
              HasSubstr("validation_files hold no token"));
}

TEST_F(TokenFilesTest, IdsBeyondTheVocabularyNameFileAndPosition) {
  const auto a = PutIds<uint16_t>("a", {0, 1, 2, 3});
  const auto b = PutIds<int32_t>("b", {0, 1, 9, 1, -1, 0}, NpyOf("<i4", "(6,)"));
  SourceSpec spec;
  DataInfo info;
  spec.validation_fraction = .1;
  auto streams = OpenTokenStreams(spec, {a, b}, {});
  absl::Status status = CheckTokens(*streams, 4, {}, &info);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), AllOf(HasSubstr(b.string() + ": token 2 has id 9"),
                                     HasSubstr("vocabulary of 4"), HasSubstr("at least 10")));
  // Positions are counted from the file's start also where a slice begins within it.
  spec.validation_fraction = .3;
  streams = OpenTokenStreams(spec, {a, b}, {});
  status = CheckTokens(*streams, 10, {}, &info);
  EXPECT_THAT(Message(status), HasSubstr("token 4 has id -1"));
}

TEST_F(TokenFilesTest, CountsWhatInfoSays) {
  const auto a = PutIds<uint16_t>("a", {0, 1, 0, 1, 5, 5});
  SourceSpec spec;
  spec.validation_fraction = 2. / 6;
  DataInfo info;
  int64_t told = 0;
  const absl::Status status = CheckTokens(
      *OpenTokenStreams(spec, {a}, {}), 8, [&](const Progress& progress) { told = progress.done; },
      &info);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(told, 6);
  EXPECT_EQ(info.train.tokens, 4);
  EXPECT_EQ(info.validation.tokens, 2);
  EXPECT_EQ(info.used_ids, 2);
  EXPECT_DOUBLE_EQ(info.unigram_entropy, std::log(2.));
  EXPECT_EQ(info.dtype, "uint16");
}

}  // namespace
}  // namespace qatlas::data
