#include "framework/plugin/search_path.h"

#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SearchPath, FlagThenEnvironmentThenInstall) {
  const auto path = SearchPath({"/x/a:/x/b/", "/x/c"}, "/x/d:/x/a", "/opt/q/bin/qatlas");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(*path, ElementsAre("/x/a", "/x/b", "/x/c", "/x/d", "/opt/q/lib/qatlas/plugins"));
}

TEST(SearchPath, CurrentFolderOnlyWhereTheFlagNamesIt) {
  const auto none = SearchPath({}, nullptr, "/opt/q/bin/qatlas");
  EXPECT_THAT(*none, ElementsAre("/opt/q/lib/qatlas/plugins"));
  EXPECT_THAT(*SearchPath({}, "", "/opt/q/bin/qatlas"), ElementsAre("/opt/q/lib/qatlas/plugins"));
  const auto named = SearchPath({"plugins"}, nullptr, "/opt/q/bin/qatlas");
  EXPECT_EQ((*named)[0],
            (std::filesystem::canonical(std::filesystem::current_path()) / "plugins").string());
}

TEST(SearchPath, RefusesEmptyAndRelativeEntries) {
  for (const char* list : {":/a", "/a:", "/a::/b"}) {
    EXPECT_THAT(std::string(SearchPath({}, list, "").status().message()), HasSubstr("empty entry"));
    EXPECT_THAT(std::string(SearchPath({list}, nullptr, "").status().message()),
                HasSubstr("--plugin-path"));
  }
  EXPECT_FALSE(SearchPath({""}, nullptr, "").ok());
  EXPECT_THAT(std::string(SearchPath({}, "plugins", "").status().message()),
              HasSubstr("QATLAS_PLUGIN_PATH: 'plugins' is relative"));
}

TEST(SearchPath, KnowsThisProgram) {
  EXPECT_EQ(std::filesystem::path(ExecutablePath()).filename(), "framework_plugin_test");
}

}  // namespace
}  // namespace qatlas::plugin
