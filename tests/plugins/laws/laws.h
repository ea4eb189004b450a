// Laws for tests, through the plugins that were built.
#ifndef QATLAS_TESTS_PLUGINS_LAWS_LAWS_H_
#define QATLAS_TESTS_PLUGINS_LAWS_LAWS_H_

#include <gtest/gtest.h>
#include <qatlas/law.h>

#include <memory>
#include <string>
#include <vector>

#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"
#include "tests/paths.h"

namespace qatlas::testing {

inline const plugin::Catalog& Laws() {
  static const plugin::Catalog catalog = plugin::Catalog::Scan({paths::Plugins()});
  return catalog;
}

inline std::shared_ptr<const LawForm> Law(const std::string& name,
                                          const OptionTable& options = {}) {
  auto form = plugin::Create<LawForm>(Laws(), name, options);
  EXPECT_TRUE(form.ok()) << form.status();
  return std::shared_ptr<const LawForm>(std::move(form).value());
}

// A preset's values in the order of the spec; NaN where it has none.
inline std::vector<double> Preset(const LawForm& form, const std::string& name) {
  const LawPreset* preset = form.Spec().FindPreset(name);
  EXPECT_NE(preset, nullptr) << name;
  std::vector<double> theta;
  for (const LawParameter& parameter : form.Spec().parameters) {
    theta.push_back(preset->Value(parameter.name));
  }
  return theta;
}

inline double ValueAt(const LawForm& form, const std::vector<double>& theta,
                      const std::vector<double>& covariates) {
  std::vector<std::vector<double>> columns;
  for (double value : covariates) columns.push_back({value});
  double result = 0;
  form.Evaluate(LawPoints(std::move(columns)).Batch(), theta.data(), &result, nullptr, 0);
  return result;
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_PLUGINS_LAWS_LAWS_H_
