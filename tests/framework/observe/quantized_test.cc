#include "framework/observe/quantized.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace qatlas::observe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const double kMissing = std::nan("");

Table Texts(const std::string& name, const std::vector<std::string>& values) {
  Table table;
  EXPECT_TRUE(table.SetTexts(name, values).ok());
  return table;
}

TEST(QuantizedRows, HearsEveryColumn) {
  EXPECT_THAT(*QuantizedRows(Texts("scheme", {"fp", "", "w4a4"})), ElementsAre(0, 0, 1));
  EXPECT_THAT(*QuantizedRows(Texts("precision", {"fp", "", "W4"})), ElementsAre(0, 0, 1));
  EXPECT_THAT(*QuantizedRows(Texts("part", {"none", "", "weights"})), ElementsAre(0, 0, 1));
  Table bits;
  ASSERT_TRUE(bits.SetNumbers("weight_bits", {kMissing, 16, 4, kMissing}).ok());
  ASSERT_TRUE(bits.SetNumbers("input_bits", {32, 16, kMissing, 8}).ok());
  EXPECT_THAT(*QuantizedRows(bits), ElementsAre(0, 0, 1, 1));
  Table group;
  ASSERT_TRUE(group.SetNumbers("G", {kMissing, 32}).ok());
  EXPECT_THAT(*QuantizedRows(group), ElementsAre(0, 1));
}

TEST(QuantizedRows, OneThatSaysSoIsEnough) {
  Table table = Texts("scheme", {"", "fp", ""});
  ASSERT_TRUE(table.SetNumbers("weight_bits", {4, 16, kMissing}).ok());
  EXPECT_THAT(*QuantizedRows(table), ElementsAre(1, 0, 0));
}

TEST(QuantizedRows, RefusesContradictions) {
  Table table = Texts("scheme", {"fp", "w4"});
  ASSERT_TRUE(table.SetNumbers("weight_bits", {4, 4}).ok());
  const auto rows = QuantizedRows(table);
  ASSERT_FALSE(rows.ok());
  EXPECT_THAT(std::string(rows.status().message()),
              HasSubstr("row 1: scheme = 'fp' says full precision, but weight_bits = 4"));
}

TEST(QuantizedRows, ColumnOfThatNameDecides) {
  Table table = Texts("scheme", {"fp", "w4", ""});
  ASSERT_TRUE(table.SetNumbers("quantized", {1, 0, kMissing}).ok());
  EXPECT_THAT(*QuantizedRows(table), ElementsAre(1, 0, 0));
  ASSERT_TRUE(table.SetNumber(0, "quantized", .5).ok());
  EXPECT_FALSE(QuantizedRows(table).ok());
}

TEST(QuantizedRows, FindsMappedColumns) {
  const Table table = Texts("method", {"fp", "w4"});
  EXPECT_FALSE(QuantizedRows(table).ok());
  EXPECT_THAT(*QuantizedRows(table, {{"scheme", "method"}}), ElementsAre(0, 1));
}

}  // namespace
}  // namespace qatlas::observe
