#include "framework/data/documents.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Compress(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class DocumentsTest : public DataTest {
 protected:
  static absl::StatusOr<std::vector<std::string>> All(std::vector<std::filesystem::path> files,
                                                      const std::string& separator) {
    DocumentReader reader(std::move(files), separator);
    std::vector<std::string> documents;
    std::string document;
    for (;;) {
      absl::StatusOr<bool> more = reader.Next(&document);
      if (!more.ok()) return more.status();
      if (!*more) return documents;
      documents.push_back(document);
    }
  }
};

TEST_F(DocumentsTest, SplitsAtSeparatorsAndFiles) {
  const auto a = Put("a", "one\n\ntwo\n\n\nthree");
  const auto b = Put("b", "four\n");
  EXPECT_THAT(*All({a, b}, "\n\n"), ElementsAre("one", "two", "\nthree", "four\n"));
  EXPECT_THAT(*All({a, b}, ""), ElementsAre("one\n\ntwo\n\n\nthree", "four\n"));
}

TEST_F(DocumentsTest, FindsSeparatorsAcrossReads) {
  // Reads are of a mebibyte: put separators of several bytes around that place.
  for (int shift = -3; shift <= 3; ++shift) {
    const std::string first((1 << 20) + shift, 'x');
    const auto path = Put("a", first + "<sep>" + std::string(1 << 21, 'y') + "<sep>z");
    const auto documents = All({path}, "<sep>");
    ASSERT_TRUE(documents.ok());
    ASSERT_EQ(documents->size(), 3u) << shift;
    EXPECT_EQ((*documents)[0], first);
    EXPECT_EQ((*documents)[1].size(), size_t{1} << 21);
    EXPECT_EQ((*documents)[2], "z");
  }
}

TEST_F(DocumentsTest, ReadsGzipByContentNotName) {
  const std::string text = MakeCorpus(500, 1);
  const auto plain = Put("plain.gz", text);
  const auto packed = Put("packed.txt", Compress(text));
  EXPECT_EQ(*All({plain}, "\n\n"), *All({packed}, "\n\n"));
  EXPECT_EQ(All({packed}, "\n\n")->size(), 500u);
}

TEST_F(DocumentsTest, TruncatedOrDamagedGzipIsAnError) {
  const std::string packed = Compress(MakeCorpus(500, 1));
  auto documents = All({Put("cut.gz", packed.substr(0, packed.size() / 2))}, "\n\n");
  ASSERT_FALSE(documents.ok());
  EXPECT_THAT(Message(documents.status()), HasSubstr("cut.gz is truncated"));
  std::string damaged = packed;
  damaged[damaged.size() / 2] ^= 0x55;
  documents = All({Put("bad.gz", damaged)}, "\n\n");
  ASSERT_FALSE(documents.ok());
  EXPECT_THAT(Message(documents.status()), HasSubstr("bad.gz is"));
  EXPECT_EQ(documents.status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DocumentsTest, MissingFileIsNamed) {
  const auto documents = All({root_ / "nowhere"}, "");
  EXPECT_EQ(documents.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(documents.status()), HasSubstr("nowhere"));
}

TEST(RepairUtf8Test, KeepsValidTextAndReplacesEachBadByte) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::vector<std::tuple<std::string, std::string, int64_t>> cases = {
      {"", "", 0},
      {"plain", "plain", 0},
      {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 0},
      {std::string("a\0b", 3), std::string("a\0b", 3), 0},
      {"a\xE9"
       "b",
       "a" + bad + "b", 1},                             // Latin-1
      {"\x80", bad, 1},                                 // continuation alone
      {"\xC0\xAF", bad + bad, 2},                       // overlong
      {"\xE0\x80\xAF", bad + bad + bad, 3},             // overlong
      {"\xED\xA0\x80", bad + bad + bad, 3},             // surrogate
      {"\xF4\x90\x80\x80", bad + bad + bad + bad, 4},   // above U+10FFFF
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", 0},      // U+10FFFF
      {"ok\xE2\x82", "ok" + bad + bad, 2},              // cut short
      {"\xE2\x82\xC3\xA9", bad + bad + "\xC3\xA9", 2},  // next character is kept
      {"\xFF\xFE", bad + bad, 2},
  };
  for (const auto& [in, out, replaced] : cases) {
    std::string text = in;
    EXPECT_EQ(RepairUtf8(&text), replaced) << ::testing::PrintToString(in);
    EXPECT_EQ(text, out);
  }
}

TEST(CutTextTest, PiecesJoinToTheTextAndStartAtBlanks) {
  const std::string text = MakeCorpus(60, 3);
  for (const size_t limit : {16, 64, 4192}) {
    std::string joined;
    const auto pieces = CutText(text, limit);
    for (size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_LE(pieces[i].size(), limit);
      EXPECT_FALSE(pieces[i].empty());
      if (i > 0 && limit >= 64) {
        EXPECT_TRUE(pieces[i][0] == ' ' || pieces[i][0] == '\n') << pieces[i];
      }
      joined += pieces[i];
    }
    EXPECT_EQ(joined, text);
  }
  EXPECT_TRUE(CutText("", 10).empty());
}

TEST(CutTextTest, NeverCutsCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += i % 3 == 0 ? "\xE2\x82\xAC" : i % 3 == 1 ? "\xF0\x9F\x98\x80" : "x";
  for (size_t limit = 4; limit < 40; ++limit) {
    std::string joined;
    for (const std::string_view piece : CutText(text, limit)) {
      std::string copy(piece);
      EXPECT_EQ(RepairUtf8(&copy), 0);
      EXPECT_LE(piece.size(), limit);
      joined += piece;
    }
    EXPECT_EQ(joined, text);
  }
}

TEST(TrimmedSizeTest, CountsBetweenTheFirstAndLastVisibleByte) {
  EXPECT_EQ(TrimmedSize(""), 0);
  EXPECT_EQ(TrimmedSize(" \n\t\r"), 0);
  EXPECT_EQ(TrimmedSize("\n a b \n"), 3);
}

}  // namespace
}  // namespace qatlas::data
