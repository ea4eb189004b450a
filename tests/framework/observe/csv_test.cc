#include "framework/observe/csv.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <random>

#include <absl/strings/str_split.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/atomic_file.h"
#include "framework/observe/names.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class CsvFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/qatlas-csv-" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST(CsvTest, ReadsQuotesLineEndsAndAMark) {
  const auto table = ParseCsv(
      "\xEF\xBB\xBFrun,note,loss\r\n"
      "a,\"x, \"\"y\"\"\nz\",3.5\r\n"
      "\r\n"
      "b,,\r\n",
      "runs.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->rows(), 2u);
  EXPECT_THAT(table->names(), ElementsAre("run", "note", "loss"));
  EXPECT_EQ(table->TextAt(0, "note"), "x, \"y\"\nz");
  EXPECT_EQ(table->NumberAt(0, "loss"), 3.5);
  EXPECT_TRUE(std::isnan(table->NumberAt(1, "loss")));
  EXPECT_EQ(table->Where(1), "runs.csv:5");
}

TEST(CsvTest, KindsComeFromTheSchemaElseFromTheFields) {
  const std::string text = "run,lr,tag,seed\n1,0.1,7b,0\n2,1e-3,8,1\n";
  const auto table = ParseCsv(text, "f");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(*table->Kind("run"), ColumnKind::kText);
  EXPECT_EQ(*table->Kind("lr"), ColumnKind::kNumber);
  EXPECT_EQ(*table->Kind("tag"), ColumnKind::kText);
  CsvOptions foreign;
  foreign.use_schema = false;
  EXPECT_EQ(*ParseCsv(text, "f", foreign)->Kind("run"), ColumnKind::kNumber);
  CsvOptions forced;
  forced.numbers = {"tag"};
  EXPECT_THAT(Message(ParseCsv(text, "f", forced).status()),
              HasSubstr("f:2:7: column 'tag' holds numbers, but here is '7b'"));
  forced.numbers = {"lrr"};
  EXPECT_THAT(Message(ParseCsv(text, "f", forced).status()), HasSubstr("did you mean 'lr'?"));
}

TEST(CsvTest, ReportsAllProblemsWithTheirPlaces) {
  const auto table = ParseCsv(
      "run,N,loss\n"
      "a,1e6,3.1\n"
      "b,1e6\n"
      "c,many,2.9\n"
      "d,1e6,2.8,9\n"
      "e,1e6,\"2.7\"x\n"
      "f\"g,1e6,2.6\n",
      "runs.csv");
  const std::string message = Message(table.status());
  EXPECT_THAT(message, HasSubstr("runs.csv:3:3: the row ends after 2 of 3 fields; column 'loss'"));
  EXPECT_THAT(message, HasSubstr("runs.csv:4:3: column 'N' holds numbers, but here is 'many'"));
  EXPECT_THAT(message, HasSubstr("runs.csv:5:11: the row has 4 fields"));
  EXPECT_THAT(message, HasSubstr("runs.csv:6:7: text after the closing quote"));
  EXPECT_THAT(message, HasSubstr("runs.csv:7:1: a quote inside an unquoted field"));
}

TEST(CsvTest, ShowsTwentyProblemsAndCountsTheRest) {
  std::string text = "loss\n";
  for (int i = 0; i < 25; ++i) text += "x\n";
  const std::string message = Message(ParseCsv(text, "f").status());
  EXPECT_THAT(message,
              AllOf(HasSubstr("f:21:1"), Not(HasSubstr("f:22:1")), HasSubstr("and 5 more")));
}

TEST(CsvTest, RefusesBrokenHeadersAndFiles) {
  EXPECT_THAT(Message(ParseCsv("a,,a\n1,2,3\n", "f").status()),
              AllOf(HasSubstr("f:1:3: column 2 of the header has no name"),
                    HasSubstr("f:1:4: the header names column 'a' twice: columns 1 and 3")));
  EXPECT_THAT(Message(ParseCsv("", "f").status()), HasSubstr("the file is empty"));
  EXPECT_THAT(Message(ParseCsv("\xFF\xFEr\0", "f").status()), HasSubstr("UTF-16"));
  EXPECT_THAT(Message(ParseCsv("run\n\"a\nb\nc\n", "f").status()),
              HasSubstr("f:2:1: the quote that begins here never ends"));
  EXPECT_EQ(ReadCsv("/no/such/file.csv").status().code(), absl::StatusCode::kNotFound);
}

TEST(CsvTest, HeaderAloneGivesNoRows) {
  const auto table = ParseCsv("run,loss", "f");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->rows(), 0u);
  EXPECT_EQ(*table->Kind("run"), ColumnKind::kText);
}

TEST(CsvTest, AByteOrderMarkOfANameIsKept) {
  for (const std::string mark : {"\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE"}) {
    const std::string name = mark + "c";
    Table table;
    ASSERT_TRUE(table.SetNumbers(name, {1e308}).ok());
    CsvOptions options;
    options.numbers = {name};
    const auto again = ParseCsv(FormatCsv(table), "again.csv", options);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->names(), std::vector<std::string>{name});
  }
}

TEST(CsvTest, RoundTripIsExact) {
  std::mt19937_64 random(7);
  std::vector<double> numbers;
  std::vector<std::string> texts;
  const std::string alphabet = "ab,\"\n\r ;\t\xC3\xA9";
  while (numbers.size() < 500) {
    const uint64_t bits = random();
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    numbers.push_back(value);
    std::string text = "t";  // Keeps the column a column of texts.
    for (uint64_t length = random() % 6; length > 0; --length) {
      text.push_back(alphabet[random() % alphabet.size()]);
    }
    texts.push_back(text);
  }
  Table table;
  ASSERT_TRUE(table.SetNumbers("x,y", numbers).ok());
  ASSERT_TRUE(table.SetTexts("note", texts).ok());
  const auto back = ParseCsv(FormatCsv(table), "f");
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->rows(), numbers.size());
  for (size_t row = 0; row < numbers.size(); ++row) {
    const double value = back->NumberAt(row, "x,y");
    EXPECT_TRUE(std::isnan(numbers[row]) ? std::isnan(value)
                                         : std::memcmp(&value, &numbers[row], 8) == 0);
    EXPECT_EQ(back->TextAt(row, "note"), texts[row]);
  }
}

TEST(CsvTest, OneColumnKeepsItsMissingRows) {
  Table table;
  ASSERT_TRUE(table.SetNumbers("loss", {1, kMissing, 3}).ok());
  const auto back = ParseCsv(FormatCsv(table), "f");
  ASSERT_EQ(back->rows(), 3u);
  EXPECT_TRUE(std::isnan(back->NumberAt(1, "loss")));
}

TEST_F(CsvFileTest, WritesWholeFilesOrNone) {
  const std::string path = folder_ + "/out.csv";
  Table table;
  ASSERT_TRUE(table.SetNumbers("loss", {1}).ok());
  ASSERT_TRUE(WriteCsv(path, table).ok());
  EXPECT_EQ(*ReadWholeFile(path), "loss\n1\n");
  ASSERT_TRUE(table.SetNumbers("loss", {2}).ok());
  ASSERT_TRUE(WriteCsv(path, table).ok());
  EXPECT_EQ(*ReadWholeFile(path), "loss\n2\n");
  const absl::Status bad = WriteCsv(folder_ + "/absent/out.csv", table);
  EXPECT_THAT(Message(bad), AllOf(HasSubstr("/absent/out.csv"), HasSubstr("No such file")));
  std::filesystem::create_directory(folder_ + "/taken.csv");
  EXPECT_FALSE(WriteCsv(folder_ + "/taken.csv", table).ok());
  // Nothing temporary is left.
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++entries;
  EXPECT_EQ(entries, 2u);
}

TEST_F(CsvFileTest, ReadsByEnding) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/a.tsv", "run\tloss\na\t1\n").ok());
  EXPECT_EQ(ReadTable(folder_ + "/a.tsv")->NumberAt(0, "loss"), 1);
  EXPECT_THAT(Message(ReadTable("x.xlsx").status()), HasSubstr("cannot tell the format"));
}

TEST(JsonLinesTest, ReadsNumbersTextsAndInnerObjects) {
  const auto table = ParseJsonLines(
      "{\"run\": 7, \"loss\": 3.25, \"done\": true, \"opt\": {\"lr\": 1e-3}}\n\n"
      "{\"run\": \"b\", \"loss\": null, \"extra\": null, \"part\": null}\n",
      "m.jsonl");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->TextAt(0, "run"), "7");
  EXPECT_EQ(table->NumberAt(0, "opt.lr"), 1e-3);
  EXPECT_EQ(table->NumberAt(0, "done"), 1);
  EXPECT_TRUE(std::isnan(table->NumberAt(1, "loss")));
  EXPECT_TRUE(std::isnan(table->NumberAt(1, "extra")));
  EXPECT_EQ(*table->Kind("part"), ColumnKind::kText);
  EXPECT_EQ(table->Where(1), "m.jsonl:3");
}

TEST(JsonLinesTest, ReportsAllProblems) {
  const std::string message = Message(
      ParseJsonLines("{\"loss\": \n[1]\n{\"loss\": \"x\"}\n{\"a\": [1]}\n{\"b\":1}\n{\"b\":\"t\"}",
                     "m")
          .status());
  EXPECT_THAT(message, HasSubstr("m:1:"));
  EXPECT_THAT(message, HasSubstr("m:2: a JSON object is expected, but this is array"));
  EXPECT_THAT(message, HasSubstr("m:3: column 'loss' holds numbers, but here is 'x'"));
  EXPECT_THAT(message, HasSubstr("m:4: 'a' is an array"));
  EXPECT_THAT(message, HasSubstr("m:6: column 'b' holds numbers, but here is 't'"));
}

// Where the comma is the decimal point, spreadsheets part columns by semicolons.
TEST(ReadTableTest, HeadersWithoutCommasMayHaveSemicolonsOrTabs) {
  const std::string path = ::testing::TempDir() + "/semicolons.csv";
  const auto read = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return ReadTable(path);
  };
  for (const char* text : {"N;loss\n1e6;3.5\n", "N\tloss\n1e6\t3.5\n", "N,loss\n1e6,3.5\n"}) {
    const auto table = read(text);
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ(table->NumberAt(0, "loss"), 3.5) << text;
  }
  EXPECT_THAT(std::string(read("N;loss\n1e6;3,5\n").status().message()),
              HasSubstr("write a point in place of the decimal comma"));
  // One column whose name was quoted.
  EXPECT_EQ(read("\"a;b\"\n1\n")->names().size(), 1u);
}

TEST(NamesTest, OneLetterIsNotNearAnother) {
  const std::vector<std::string> names = {"N", "loss"};
  EXPECT_EQ(Suggest("D", names), "; there are 'N', 'loss'");
  EXPECT_EQ(Suggest("n", names), "; did you mean 'N'?");
  EXPECT_EQ(Suggest("los", names), "; did you mean 'loss'?");
}

}  // namespace
}  // namespace qatlas::observe
