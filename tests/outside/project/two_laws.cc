// Two laws for the loss, written as formulas, fitted to a table and compared: two-laws runs.csv
#include <cstdio>
#include <iostream>

#include "framework/compare/compare.h"
#include "framework/fit/predict.h"
#include "framework/forms/formula.h"
#include "framework/observe/csv.h"

int main(int, char** argv) {
  const auto runs = qatlas::observe::ReadTable(argv[1]);  // columns N, D and loss
  if (!runs.ok()) return std::cerr << runs.status() << "\n", 1;
  std::vector<qatlas::compare::Candidate> laws;
  for (const char* text : {"L = E + A/N^a + B/D^b", "L = E + A/N^a + B/D^a"}) {
    const auto law = qatlas::forms::MakeFormulaLaw(text);
    if (!law.ok()) return std::cerr << law.status() << "\n", 1;
    laws.push_back({text, law->form, {}});
    laws.back().problem.loss = qatlas::fit::LossByName("log-student-t").value();
  }
  const auto compared = qatlas::compare::Compare(laws, *runs);
  if (!compared.ok()) return std::cerr << compared.status() << "\n", 1;
  std::cout << compared->sentence << "\n";
  if (compared->ranking.empty()) return 1;
  const qatlas::fit::FitResult& best = compared->ranking[0].fit;
  for (const auto& p : best.estimates) {
    std::printf("%s = %.4g [%.4g, %.4g]\n", p.name.c_str(), p.value, p.interval.low,
                p.interval.high);
  }
  const auto point = qatlas::fit::Predict(best, qatlas::fit::Grid({{"N", {70e9}}, {"D", {2e12}}}));
  if (!point.ok()) return std::cerr << point.status() << "\n", 1;
  std::printf("70B on 2T tokens: %.4f +- %.4f\n", point->value[0], point->standard_error[0]);
}
