#include "framework/observe/expression.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Table Sample() {
  Table table;
  EXPECT_TRUE(table.SetNumbers("flop", {6e12, 12e12, kMissing}).ok());
  EXPECT_TRUE(table.SetNumbers("params", {1e6, 2e6, 4e6}).ok());
  EXPECT_TRUE(table.SetNumbers("loss/val", {3, 2, 1}).ok());
  EXPECT_TRUE(table.SetTexts("kind", std::vector<std::string>{"FP4Trust", "None", ""}).ok());
  return table;
}

std::vector<double> Numbers(const std::string& text) {
  const auto expression = Expression::Parse(text);
  EXPECT_TRUE(expression.ok()) << expression.status();
  const auto values = expression->Numbers(Sample());
  EXPECT_TRUE(values.ok()) << values.status();
  return *values;
}

std::vector<bool> Conditions(const std::string& text) {
  const auto expression = Expression::Parse(text);
  EXPECT_TRUE(expression.ok()) << expression.status();
  const auto values = expression->Conditions(Sample());
  EXPECT_TRUE(values.ok()) << values.status();
  return *values;
}

std::string ParseError(const std::string& text) {
  return std::string(Expression::Parse(text).status().message());
}

std::string CheckError(const std::string& text) {
  return std::string(Expression::Parse(text)->Check(Sample()).status().message());
}

TEST(ExpressionTest, Precedence) {
  EXPECT_EQ(Numbers("1 + 2 * 3 ^ 2 - 8 / 4 / 2")[0], 18);
  EXPECT_EQ(Numbers("-2 ^ 2")[0], -4);
  EXPECT_EQ(Numbers("2 ^ 3 ^ 2")[0], 512);
  EXPECT_EQ(Numbers("2 ^ -1")[0], .5);
  EXPECT_EQ(Numbers("(1 + 2) * --3")[0], 9);
  EXPECT_EQ(Numbers("10 - 3 - 2")[0], 5);
  EXPECT_EQ(Numbers("1e3+.5")[0], 1000.5);
}

TEST(ExpressionTest, ColumnsAndFunctions) {
  EXPECT_EQ(Numbers("flop / (6*params)")[1], 1e6);
  EXPECT_EQ(Numbers("`loss/val` * 2")[0], 6);
  EXPECT_EQ(Numbers("log2(8) + sqrt(9) + exp(0) + log(1) + log10(100)")[0], 9);
  EXPECT_EQ(Numbers("min(1, 2) + max(1, 2) + abs(-3) + floor(1.5) + ceil(1.5) + round(2.5)")[0],
            12);
  EXPECT_THAT(Numbers("if(contains(kind, 'FP4'), 4, 16)"), ElementsAre(4, 16, 16));
  EXPECT_THAT(Expression::Parse("a + b * a + f.x")->Columns(), ElementsAre("a", "b", "f.x"));
}

TEST(ExpressionTest, ConditionsOverNumbersAndTexts) {
  EXPECT_THAT(Conditions("params >= 2e6 && kind != ''"), ElementsAre(false, true, false));
  EXPECT_THAT(Conditions("kind == \"None\" || params < 2e6"), ElementsAre(true, true, false));
  EXPECT_THAT(Conditions("!(params == 1e6)"), ElementsAre(false, true, true));
  // && binds tighter than ||.
  EXPECT_THAT(Conditions("1 == 1 || 1 == 1 && 1 == 2"), ElementsAre(true, true, true));
}

TEST(ExpressionTest, MissingPassesNoComparison) {
  EXPECT_THAT(Conditions("flop == 6e12"), ElementsAre(true, false, false));
  EXPECT_THAT(Conditions("flop != 6e12"), ElementsAre(false, true, false));
  EXPECT_THAT(Conditions("missing(flop) || missing(kind)"), ElementsAre(false, false, true));
  EXPECT_TRUE(std::isnan(Numbers("flop ^ 0")[2]));
  EXPECT_TRUE(std::isnan(Numbers("min(flop, 1)")[2]));
}

TEST(ExpressionTest, Texts) {
  const auto values = Expression::Parse("'W' + text(params / 1e6) + \"A4\"")->Texts(Sample());
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ((*values)[1], "W2A4");
  EXPECT_EQ((*values)[2], "W4A4");
}

TEST(ExpressionTest, SyntaxErrorsPointAtTheCharacter) {
  EXPECT_EQ(ParseError("flop / (6*params"),
            "character 8: this '(' is never closed\n  flop / (6*params\n         ^");
  EXPECT_THAT(ParseError("a = 4"), AllOf(HasSubstr("character 3"), HasSubstr("written ==")));
  EXPECT_THAT(ParseError("a + "), AllOf(HasSubstr("character 5"), HasSubstr("missing at the end")));
  EXPECT_THAT(ParseError("2 params"), HasSubstr("character 3"));
  EXPECT_THAT(ParseError("2params"), HasSubstr("written with *"));
  EXPECT_THAT(ParseError("1 < 2 < 3"),
              AllOf(HasSubstr("character 7"), HasSubstr("cannot be chained")));
  EXPECT_THAT(ParseError("'abc"), HasSubstr("this quote never ends"));
  EXPECT_THAT(ParseError("lgo(2)"), HasSubstr("no function 'lgo'; did you mean 'log'"));
  EXPECT_THAT(ParseError("sqrt(1, 2)"), HasSubstr("sqrt takes 1 operand, not 2"));
  EXPECT_THAT(ParseError("a & b"), HasSubstr("write it twice"));
  EXPECT_THAT(ParseError("a)"), HasSubstr("')' without '('"));
  EXPECT_THAT(ParseError("  "), HasSubstr("empty"));
  EXPECT_THAT(ParseError(std::string(500, '(')), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseError(std::string(500, '-')), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseError("1" + std::string(5000, ' ')), HasSubstr("at most 4096"));
}

TEST(ExpressionTest, KindErrorsPointAtTheCharacter) {
  EXPECT_THAT(
      CheckError("1 + parms"),
      AllOf(HasSubstr("character 5"), HasSubstr("no column 'parms'; did you mean 'params'")));
  EXPECT_THAT(CheckError("params * kind"),
              AllOf(HasSubstr("character 10"), HasSubstr("needs a number, but this is a text")));
  EXPECT_THAT(CheckError("kind == 4"), HasSubstr("compares a text with a number"));
  EXPECT_THAT(CheckError("params && 1 == 1"), HasSubstr("needs a condition"));
  EXPECT_THAT(CheckError("if(1 == 1, 2, 'x')"), HasSubstr("character 15"));
  EXPECT_THAT(CheckError("'W' + params"), HasSubstr("text(x) makes a text"));
  EXPECT_THAT(CheckError("kind < 'a'"), HasSubstr("needs a number"));
  EXPECT_THAT(CheckError("(1 == 1) == (2 == 2)"), HasSubstr("but this is a condition"));
  EXPECT_EQ(Expression::Parse("nope")->Numbers(Sample()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Expression::Parse("params")->Conditions(Sample()).status().message()),
              HasSubstr("must be a condition, but is a number"));
}

TEST(ExpressionTest, WhereKeepsRows) {
  const auto table = Where(Sample(), "params > 1e6");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->rows(), 2u);
  EXPECT_FALSE(Where(Sample(), "params >").ok());
}

}  // namespace
}  // namespace qatlas::observe
