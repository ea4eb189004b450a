// What a formula may look like, and what is said where it does not.
#include "framework/forms/formula_text.h"

#include <cmath>
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/framework/forms/reference.h"

namespace qatlas::forms {
namespace {

using ::testing::ElementsAre;

double Value(const std::string& text, std::map<std::string, long double> symbols = {}) {
  const auto formula = ParseFormulaText(text);
  EXPECT_TRUE(formula.ok()) << formula.status();
  return static_cast<double>(testing::ReferenceValue(formula->root, symbols));
}

std::string Refused(const std::string& text) {
  const auto formula = ParseFormulaText(text);
  return formula.ok() ? "fine" : std::string(formula.status().message());
}

TEST(FormulaText, FollowsTheUsualPrecedence) {
  EXPECT_EQ(Value("1 + 2 * 3"), 7);
  EXPECT_EQ(Value("8 / 4 / 2"), 1);
  EXPECT_EQ(Value("8 - 4 - 2"), 2);
  EXPECT_EQ(Value("2 ^ 3 ^ 2"), 512);
  EXPECT_EQ(Value("-2^2"), -4);
  EXPECT_EQ(Value("(-2)^2"), 4);
  EXPECT_EQ(Value("2^-2"), .25);
  EXPECT_EQ(Value("-3 * -2"), 6);
  EXPECT_EQ(Value("2 - -3"), 5);
  EXPECT_EQ(Value("+4"), 4);
  EXPECT_EQ(Value("2**3"), 8);
  EXPECT_EQ(Value("[1 + 2] * 2e0"), 6);
  EXPECT_EQ(Value(".5 + 1e-1"), .6);
}

TEST(FormulaText, KnowsItsFunctions) {
  EXPECT_DOUBLE_EQ(Value("exp(2)"), std::exp(2.0));
  EXPECT_DOUBLE_EQ(Value("log(2) + ln(3)"), std::log(2.0) + std::log(3.0));
  EXPECT_DOUBLE_EQ(Value("log2(8)"), 3);
  EXPECT_DOUBLE_EQ(Value("log10(1000)"), 3);
  EXPECT_DOUBLE_EQ(Value("sqrt(2)"), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(Value("tanh(.3)"), std::tanh(.3));
  EXPECT_DOUBLE_EQ(Value("pow(3, 2)"), 9);
  EXPECT_DOUBLE_EQ(Value("(log2 G)^2", {{"G", 16}}), 16);
  EXPECT_DOUBLE_EQ(Value("k · D^γ − 1", {{"k", 2}, {"D", 4}, {"γ", .5}}), 3);
}

TEST(FormulaText, PartsItsSides) {
  const auto formula = ParseFormulaText("  L =  E + A/N^a + A/D^a ");
  ASSERT_TRUE(formula.ok());
  EXPECT_EQ(formula->left, "L");
  EXPECT_EQ(formula->right, "E + A/N^a + A/D^a");
  EXPECT_THAT(formula->Symbols(), ElementsAre("E", "A", "N", "a", "D"));
  EXPECT_EQ(formula->Position("N"), 13u);
}

TEST(FormulaText, PointsAtTheCharacter) {
  EXPECT_EQ(Refused("L = E + * N"),
            "formula: character 9: a number, a name or '(' must stand here, not '*'\n"
            "  L = E + * N\n"
            "          ^");
  EXPECT_EQ(Refused("L = E + A/N^"),
            "formula: character 13: the formula ends where a number, a name or '(' must be\n"
            "  L = E + A/N^\n"
            "              ^");
  EXPECT_EQ(Refused("δ = k (N"),
            "formula: character 5: there is no function 'k'; valid names: 'exp', 'log', 'ln', "
            "'log2', 'log10', 'sqrt', 'tanh', 'pow'; a product needs '*'\n"
            "  δ = k (N\n"
            "      ^");
  EXPECT_EQ(Refused("L = (E + A"),
            "formula: character 5: this parenthesis is never closed\n"
            "  L = (E + A\n"
            "      ^");
  EXPECT_EQ(Refused("L = tahn(E)"),
            "formula: character 5: there is no function 'tahn'; nearest valid name: 'tanh'; a "
            "product needs '*'\n"
            "  L = tahn(E)\n"
            "      ^");
  EXPECT_THAT(Refused("L = E A"), ::testing::StartsWith("formula: character 7: an operation is "));
  EXPECT_THAT(Refused("L = 2N"), ::testing::StartsWith("formula: character 6: a number must be "));
  EXPECT_THAT(Refused("L + 1 = E"), ::testing::HasSubstr("left of '=' must stand one name"));
  EXPECT_THAT(Refused("L = E = F"), ::testing::HasSubstr("one '=' only"));
  EXPECT_THAT(Refused("L = E)"), ::testing::HasSubstr("was never opened"));
  EXPECT_THAT(Refused("L = E, 1"), ::testing::HasSubstr("a comma parts"));
  EXPECT_THAT(Refused("L = pow(E)"), ::testing::HasSubstr("takes 2 arguments, not 1"));
  EXPECT_THAT(Refused("L = max(E, 1)"), ::testing::HasSubstr("kink"));
  EXPECT_THAT(Refused("L = log2 G^2"), ::testing::HasSubstr("log2(x)^y or log2(x^y)"));
  EXPECT_THAT(Refused("L = 1e999"), ::testing::HasSubstr("no number"));
  EXPECT_THAT(Refused("L = E ? 1"), ::testing::HasSubstr("has no meaning"));
  EXPECT_THAT(Refused(""), ::testing::HasSubstr("the formula is empty"));
  EXPECT_THAT(Refused(std::string(100000, '(')), ::testing::HasSubstr("nested too deeply"));
  EXPECT_THAT(Refused(std::string(100000, '-') + "1"), ::testing::HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace qatlas::forms
