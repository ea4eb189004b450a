// Formulas as C++; that the projects build and give the same numbers is tested in tests/outside.
#include "framework/forms/formula_project.h"

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::forms {
namespace {

using ::testing::HasSubstr;

std::string Cpp(const std::string& text) {
  const auto law = MakeFormulaLaw(text);
  EXPECT_TRUE(law.ok()) << law.status();
  return FormulaAsCpp(law->text, law->form->Spec());
}

TEST(FormulaAsCpp, IsWhatOneWouldWrite) {
  EXPECT_EQ(Cpp("L = E + A/N^alpha + B/D^beta"), "E + A * Pow(N, -alpha) + B * Pow(D, -beta)");
  EXPECT_EQ(Cpp("delta = k * D^g * (log2 G)^h / N^n"),
            "k * Pow(D, g) * Pow(Log2(G), h) * Pow(N, -n)");
  EXPECT_EQ(Cpp("L = a - (b - c*N)"), "a - (b - c * N)");
  EXPECT_EQ(Cpp("L = a/(b*N)/2"), "a / (b * N) / 2.0");
  EXPECT_EQ(Cpp("L = E + k*2^(-weight_bits/c)"),
            "E + k * Exp(0.6931471805599453 * (-weight_bits / c))");
  EXPECT_EQ(Cpp("L = a + b*(N/1e9)^-c"),
            "a + b * Pow(qatlas::formula::Covariate::Of(N / 1e+09), -c)");
  EXPECT_EQ(Cpp("L = a*N^2 + b*N^-1 + c*sqrt(N) + d*log(N)"),
            "a * N * N + b * 1.0 / N + c * std::sqrt(double(N)) + d * Log(N)");
}

TEST(LawProject, HasAllThatABuildNeeds) {
  const auto law = MakeFormulaLaw("delta = k * N^-a * (1 - exp(-weight_bits/g))");
  ASSERT_TRUE(law.ok());
  const auto files = LawProject("half-life", *law);
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> paths;
  for (const ProjectFile& file : *files) {
    paths.push_back(file.path);
    EXPECT_FALSE(absl::StrContains(file.text, "$")) << file.path << "\n" << file.text;
  }
  EXPECT_THAT(paths, ::testing::ElementsAre("CMakeLists.txt", "half_life.h", "half_life.cc",
                                            "register.cc", "half_life_test.cc", "README.md"));
  EXPECT_THAT((*files)[0].text, HasSubstr("qatlas_add_plugin(law half-life SOURCES half_life.cc"));
  EXPECT_THAT((*files)[1].text,
              HasSubstr("class HalfLife : public qatlas::LawFormula<HalfLife, 2, 3>"));
}

TEST(LawProject, RefusesNamesThatCannotBe) {
  const auto law = MakeFormulaLaw("L = E + A/N^a");
  for (const char* name : {"", "Half", "half life", "-x", "x-", "a--b", "3d", "../x"}) {
    EXPECT_FALSE(LawProject(name, *law).ok()) << name;
  }
  const auto keyword = MakeFormulaLaw("L = int + int_/N^a");
  ASSERT_TRUE(keyword.ok());
  EXPECT_FALSE(LawProject("x", *keyword).ok());
}

}  // namespace
}  // namespace qatlas::forms
