// Worlds of published constants, and fits to runs simulated from them.
#ifndef QATLAS_TESTS_FRAMEWORK_PLAN_WORLDS_H_
#define QATLAS_TESTS_FRAMEWORK_PLAN_WORLDS_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "framework/plan/sources.h"
#include "framework/plan/world.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {

inline plan::LawFactory Forms() {
  return [](const std::string& text) { return forms::LawFromText(text, Laws()); };
}

// The full-precision law of Chen et al. 2025 and one variant of its δ.
struct Chen {
  explicit Chen(const std::string& variant, double relative_error = 0) {
    auto found = plan::LawsFromPreset(Laws(), Forms(), "chen-2025:" + variant, relative_error);
    EXPECT_TRUE(found.ok()) << found.status();
    laws = *std::move(found);
    EXPECT_EQ(laws.size(), 2u);
    for (const plan::Law& law : laws) {
      (law.target == kTargetLoss ? world.loss : world.delta) = &law;
    }
  }
  Chen(const Chen&) = delete;
  std::vector<plan::Law> laws;
  plan::World world;
};

inline plan::Point At(double n, double d, double g) { return {{{"N", n}, {"D", d}, {"G", g}}, {}}; }

inline const plan::Quantity& Get(const plan::Row& row, const std::string& name) {
  for (const plan::Quantity& quantity : row.quantities) {
    if (quantity.name == name) return quantity;
  }
  ADD_FAILURE() << "no quantity " << name << " in " << row.label;
  return row.quantities[0];
}

inline std::string Word(const plan::Row& row, const std::string& name) {
  for (const auto& [key, text] : row.words) {
    if (key == name) return text;
  }
  return "";
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_FRAMEWORK_PLAN_WORLDS_H_
