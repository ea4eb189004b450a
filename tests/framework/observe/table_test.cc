#include "framework/observe/table.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/names.h"
#include "framework/observe/number.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Table SampleTable() {
  Table table;
  EXPECT_TRUE(table.SetTexts("model", std::vector<std::string>{"a", "a", "b", ""}).ok());
  EXPECT_TRUE(table.SetNumbers("loss", {3.5, kMissing, 2.5, kMissing}).ok());
  EXPECT_TRUE(table.SetNumbers("G", {0.0, -0.0, 64, 64}).ok());
  EXPECT_TRUE(table.SetOrigins("runs.csv", {2, 3, 5, 6}).ok());
  return table;
}

TEST(TableTest, ColumnsKeepTheirOrderAndKind) {
  const Table table = SampleTable();
  EXPECT_EQ(table.rows(), 4u);
  EXPECT_THAT(table.names(), ElementsAre("model", "loss", "G"));
  EXPECT_EQ(*table.Kind("model"), ColumnKind::kText);
  EXPECT_EQ((**table.Texts("model"))[2], "b");
  EXPECT_EQ((*table.Numbers("loss"))[2], 2.5);
  EXPECT_TRUE(std::isnan(table.NumberAt(1, "loss")));
  EXPECT_EQ(table.FindNumbers("model"), nullptr);
}

TEST(TableTest, AbsentColumnOffersTheNearest) {
  const absl::Status status = SampleTable().Numbers("los").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no column 'los'; did you mean 'loss'?");
}

TEST(TableTest, TextsAsNumbersNameTheRow) {
  const absl::Status status = SampleTable().Numbers("model").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("runs.csv:2: column 'model'"));
}

TEST(TableTest, LengthsMustAgree) {
  Table table = SampleTable();
  EXPECT_THAT(std::string(table.SetNumbers("x", {1, 2}).message()),
              HasSubstr("column 'x' has 2 values, but the table has 4 rows"));
  EXPECT_FALSE(table.Has("x"));
}

TEST(TableTest, FilterKeepsOrigins) {
  const Table kept = SampleTable().Filter([](size_t row) { return row >= 2; });
  EXPECT_EQ(kept.rows(), 2u);
  EXPECT_EQ(kept.Where(0), "runs.csv:5");
  EXPECT_EQ(kept.TextAt(0, "model"), "b");
  EXPECT_EQ(Table().Where(0), "row 1");
}

TEST(TableTest, GroupsTreatMissingAsAValueAndZerosAsEqual) {
  const Table table = SampleTable();
  const auto by_loss = table.GroupBy({"loss"});
  ASSERT_TRUE(by_loss.ok());
  ASSERT_EQ(by_loss->size(), 3u);
  EXPECT_THAT((*by_loss)[1].rows, ElementsAre(1, 3));
  const auto by_two = table.GroupBy({"G", "model"});
  ASSERT_EQ(by_two->size(), 3u);
  EXPECT_THAT((*by_two)[0].rows, ElementsAre(0, 1));
  EXPECT_EQ(std::get<std::string>((*by_two)[1].key[1]), "b");
  EXPECT_EQ(table.GroupBy({})->size(), 1u);
  EXPECT_EQ(table.GroupBy({"lss"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(TableTest, AppendAddsColumnsAndFillsGaps) {
  Table table;
  ASSERT_TRUE(table.Append({{"run", std::string("a")}, {"loss", 3.0}}).ok());
  ASSERT_TRUE(table.Append({{"run", std::string("b")}, {"delta", 0.1}}, {"x.jsonl", 7}).ok());
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "delta")));
  EXPECT_TRUE(std::isnan(table.NumberAt(1, "loss")));
  EXPECT_EQ(table.TextAt(1, "run"), "b");
  EXPECT_EQ(table.Where(0), "row 1");
  EXPECT_EQ(table.Where(1), "x.jsonl:7");
  EXPECT_THAT(std::string(table.Append({{"new", 1.0}, {"run", 3.0}}).message()),
              HasSubstr("column 'run' holds texts, but a row has 3"));
  EXPECT_EQ(table.rows(), 2u);
  EXPECT_FALSE(table.Has("new"));
  EXPECT_FALSE(table.Append({{"loss", 1.0}, {"loss", 2.0}}).ok());
}

TEST(TableTest, AppendTableUnitesColumns) {
  Table table = SampleTable();
  Table other;
  ASSERT_TRUE(other.SetTexts("scheme", std::vector<std::string>{"fp"}).ok());
  ASSERT_TRUE(other.SetNumbers("loss", {9}).ok());
  ASSERT_TRUE(table.AppendTable(other).ok());
  EXPECT_EQ(table.rows(), 5u);
  EXPECT_EQ(table.NumberAt(4, "loss"), 9);
  EXPECT_EQ(table.TextAt(4, "model"), "");
  EXPECT_EQ(table.TextAt(0, "scheme"), "");
  EXPECT_EQ(table.TextAt(4, "scheme"), "fp");
  EXPECT_EQ(table.Where(4), "row 5");
  Table clash;
  ASSERT_TRUE(clash.SetNumbers("model", {1}).ok());
  EXPECT_FALSE(table.AppendTable(clash).ok());
  EXPECT_EQ(table.rows(), 5u);
  ASSERT_TRUE(table.AppendTable(table).ok());
  EXPECT_EQ(table.rows(), 10u);
  EXPECT_EQ(table.Where(5), "runs.csv:2");
}

TEST(TableTest, DropAndRename) {
  Table table = SampleTable();
  ASSERT_TRUE(table.Drop("model").ok());
  ASSERT_TRUE(table.Rename("loss", "L").ok());
  EXPECT_THAT(table.names(), ElementsAre("L", "G"));
  EXPECT_EQ(table.NumberAt(0, "L"), 3.5);
  EXPECT_EQ(table.NumberAt(2, "G"), 64);
  EXPECT_FALSE(table.Rename("L", "G").ok());
}

TEST(TableTest, CopiesOfTextColumnsStandAlone) {
  Table table = SampleTable();
  const Table copy = table;
  ASSERT_TRUE(table.SetText(0, "model", "changed").ok());
  EXPECT_EQ(copy.TextAt(0, "model"), "a");
  EXPECT_EQ(copy.FindTexts("model")->FindCode("b"), 1u);
  EXPECT_FALSE(copy.FindTexts("model")->FindCode("changed").has_value());
}

TEST(TableTest, AMillionRows) {
  constexpr size_t kRows = 1000000;
  TextColumn run, model;
  std::vector<double> n(kRows);
  for (size_t i = 0; i < kRows; ++i) {
    run.Append("run-" + std::to_string(i));
    model.Append(i % 2 == 0 ? "even" : "odd");
    n[i] = static_cast<double>(i % 7);
  }
  Table table;
  ASSERT_TRUE(table.SetTexts("run", std::move(run)).ok());
  ASSERT_TRUE(table.SetTexts("model", std::move(model)).ok());
  ASSERT_TRUE(table.SetNumbers("N", std::move(n)).ok());
  const auto groups = table.GroupBy({"model", "N"});
  ASSERT_EQ(groups->size(), 14u);
  size_t rows = 0;
  for (const Group& group : *groups) rows += group.rows.size();
  EXPECT_EQ(rows, kRows);
  const Table odd = table.Filter([](size_t row) { return row % 2 == 1; });
  EXPECT_EQ(odd.TextAt(499999, "run"), "run-999999");
}

TEST(NamesTest, DistancesCountEdits) {
  EXPECT_EQ(EditDistance("loss", "loss"), 0);
  EXPECT_EQ(EditDistance("weight_bits", "WeightBits"), 0);
  EXPECT_EQ(EditDistance("sede", "seed"), 1);
  EXPECT_EQ(EditDistance("", "abc"), 3);
}

TEST(NamesTest, FarNamesListAll) {
  EXPECT_EQ(Suggest("zzzz", {"loss", "N"}), "; there are 'loss', 'N'");
  EXPECT_EQ(Suggest("params", {"params_nonembedding", "tokens"}),
            "; did you mean 'params_nonembedding'?");
  EXPECT_EQ(Suggest("x", {}), "");
}

TEST(NumberTest, RoundTripsEveryBit) {
  for (double value : {0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, -2.5, 1e23, 74320000.0}) {
    EXPECT_EQ(*ParseNumber(FormatNumber(value)), value);
  }
  EXPECT_TRUE(std::signbit(*ParseNumber(FormatNumber(-0.0))));
  EXPECT_EQ(*ParseNumber(FormatNumber(HUGE_VAL)), HUGE_VAL);
  EXPECT_EQ(FormatNumber(0.1), "0.1");
  EXPECT_EQ(FormatNumber(1e6), "1000000");
  EXPECT_EQ(FormatNumber(1e20), "1e+20");
}

TEST(NumberTest, KnowsMissingFromWrong) {
  for (const char* text : {"", "  ", "NaN", "na", "NULL"}) {
    ASSERT_TRUE(ParseNumber(text).has_value()) << text;
    EXPECT_TRUE(std::isnan(*ParseNumber(text))) << text;
  }
  for (const char* text : {"1,000", "12b", "0x10", "+-1", "1e", "--", "1e999", "nan(1)", "+"}) {
    EXPECT_FALSE(ParseNumber(text).has_value()) << text;
  }
  EXPECT_EQ(*ParseNumber(" +1e3 "), 1000);
  EXPECT_EQ(*ParseNumber("1e-999"), 0);
}

TEST(SchemaTest, EmptyObservationsHaveEveryColumn) {
  const Table table = EmptyObservations();
  EXPECT_EQ(table.rows(), 0u);
  EXPECT_EQ(table.names(), StandardColumnNames());
  EXPECT_EQ(*table.Kind("scheme"), ColumnKind::kText);
  EXPECT_EQ(*table.Kind("G"), ColumnKind::kNumber);
  EXPECT_EQ(FindStandardColumn("nonsense"), nullptr);
}

}  // namespace
}  // namespace qatlas::observe
