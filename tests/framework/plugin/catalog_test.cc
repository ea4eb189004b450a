#include "framework/plugin/catalog.h"

#include "folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::plugin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string Reason(const Catalog& catalog, const std::string& path) {
  for (const PassedOver& passed : catalog.passed_over()) {
    if (passed.path == path) return passed.reason;
  }
  return "(not passed over)";
}

TEST(Catalog, ListsComponentsSorted) {
  Folder folder;
  folder.Copy("scheme-test-throwing");
  folder.Copy("scheme-test-good");
  const Catalog catalog = Catalog::Scan({folder.path(), folder.path()});
  EXPECT_THAT(catalog.folders(), ElementsAre(folder.path()));
  EXPECT_THAT(catalog.passed_over(), IsEmpty());
  EXPECT_THAT(catalog.Names(QATLAS_KIND_SCHEME),
              ElementsAre("fails", "good", "nothing", "registered", "throws", "throws-number"));
  EXPECT_THAT(catalog.Names(QATLAS_KIND_LAW), IsEmpty());
  ASSERT_EQ(catalog.Plugins().size(), 2u);
  EXPECT_EQ(catalog.Plugins()[0]->name, "good");
}

TEST(Catalog, KnowsOptionsWithoutOpeningAnything) {
  Folder folder;
  folder.Copy("scheme-test-good");
  // A library that could not be opened shows that it is not.
  folder.Write("scheme-test-good.so", "not a library");
  const Catalog catalog = Catalog::Scan({folder.path()});
  const ComponentDeclaration* good = catalog.FindDeclaration(QATLAS_KIND_SCHEME, "good");
  ASSERT_NE(good, nullptr);
  EXPECT_EQ(good->citation, "Nobody 2025, eq. 1");
  EXPECT_EQ(good->numerics, 3u);
  EXPECT_THAT(good->OptionNames(), ElementsAre("bits", "ratio", "flag", "name", "mode", "more"));
  EXPECT_FALSE(good->FindOption("bits")->default_value.has_value());
  EXPECT_EQ(good->FindOption("bits")->maximum, 8);
  EXPECT_FALSE(good->FindOption("ratio")->maximum.has_value());
  EXPECT_EQ(std::get<double>(*good->FindOption("ratio")->default_value), .5);
  EXPECT_EQ(std::get<std::string>(*good->FindOption("name")->default_value), "none");
  EXPECT_EQ(good->FindOption("more")->help, "Further \"options\".");
  EXPECT_TRUE(good->HasAbility("plain"));
  EXPECT_EQ(good->AbilityValue("bits"), "1.58");
  EXPECT_THAT(good->AbilityValues("role"), ElementsAre("fc1", "fc2"));
  EXPECT_EQ(good->AbilityValue("group"), std::nullopt);
}

TEST(Catalog, RefusesTwoPluginsOfOneName) {
  Folder a, b;
  a.Copy("scheme-test-good");
  b.Copy("scheme-test-good");
  b.Copy("scheme-test-throwing");
  const Catalog catalog = Catalog::Scan({a.path(), b.path()});
  EXPECT_EQ(Reason(catalog, a.File("scheme-test-good.so")),
            "the plugin name 'good' is offered by " + b.File("scheme-test-good.so") +
                " too; the scheme 'good' is offered by " + b.File("scheme-test-good.so") +
                " too; remove one of them");
  EXPECT_THAT(Reason(catalog, b.File("scheme-test-good.so")),
              HasSubstr(a.File("scheme-test-good.so")));
  const absl::Status status = catalog.Find(QATLAS_KIND_SCHEME, "good").status();
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(a.File("scheme-test-good.so")),
                                                   HasSubstr(b.File("scheme-test-good.so"))));
  EXPECT_TRUE(catalog.Find(QATLAS_KIND_SCHEME, "throws").ok());
}

TEST(Catalog, RefusesTwoComponentsOfOneNameInPluginsOfDifferentNames) {
  Folder folder;
  folder.Copy("scheme-test-good");
  std::string other = RawManifest("good");
  other.replace(other.find("name = \"good\""), 13, "name = \"other\"");
  folder.Write("good.toml", other);
  folder.Write("good.so", "");
  const Catalog catalog = Catalog::Scan({folder.path()});
  EXPECT_THAT(Reason(catalog, folder.File("good.so")),
              StartsWith("the scheme 'good' is offered by"));
  EXPECT_THAT(catalog.Names(QATLAS_KIND_SCHEME), IsEmpty());
}

TEST(Catalog, SaysWhyEachCandidateWasPassedOver) {
  Folder folder;
  folder.Copy("scheme-test-good");
  folder.Write("gone.toml", RawManifest("gone"));
  folder.Write("abi.toml", RawManifest("abi", "", 1));
  folder.Write("abi.so", "");
  folder.Write("alone.so", "");
  folder.Write("bad.toml", "manifest = 1\nlibrary = \n");
  const std::string missing = folder.File("no-such-folder");
  const Catalog catalog = Catalog::Scan({missing, folder.path()});
  EXPECT_EQ(Reason(catalog, folder.File("gone.so")),
            "its library " + folder.File("gone.so") + " is missing");
  EXPECT_EQ(Reason(catalog, folder.File("abi.so")),
            absl::StrCat("built for SDK ABI 1, this program has SDK ABI ", QATLAS_SDK_ABI,
                         ": the plugin is older; build it again against the installed SDK, or ask "
                         "its author for a build for ",
                         QATLAS_SDK_ABI));
  EXPECT_THAT(Reason(catalog, folder.File("alone.so")), HasSubstr("no manifest alone.toml"));
  EXPECT_THAT(Reason(catalog, folder.File("bad.toml")), StartsWith("2:11: not TOML: "));
  EXPECT_THAT(Reason(catalog, missing), HasSubstr("cannot be read"));

  const absl::Status status = catalog.Find(QATLAS_KIND_SCHEME, "goood").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const std::string message(status.message());
  EXPECT_THAT(message, StartsWith("there is no scheme 'goood'; nearest valid name: 'good'"));
  for (const std::string& part :
       {missing, folder.path(), folder.File("gone.so"), folder.File("abi.so"),
        folder.File("alone.so"), folder.File("bad.toml")}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_TRUE(catalog.Find(QATLAS_KIND_SCHEME, "good").ok());
}

TEST(Catalog, ADamagedManifestIsNamedOnceAndWithWhatToDo) {
  Folder folder;
  folder.Write("x.toml", "");
  folder.Write("x.so", "");
  const Catalog catalog = Catalog::Scan({folder.path()});
  ASSERT_EQ(catalog.passed_over().size(), 1u);
  EXPECT_EQ(catalog.passed_over()[0].path, folder.File("x.toml"));
  EXPECT_EQ(catalog.passed_over()[0].reason,
            "1:1: the manifest lacks the key 'manifest'; build the plugin again, which writes its "
            "manifest");
}

// A folder may hold recipes beside plugins.
TEST(Catalog, TomlThatIsNoManifestIsNotSpokenOf) {
  Folder folder;
  folder.Copy("scheme-test-good");
  folder.Write("my.toml", "# manifest = 1\n[recipe]\nname = \"my\"\nmanifest = 1\n");
  folder.Write("broken.toml", "[recipe\n");
  const Catalog catalog = Catalog::Scan({folder.path()});
  EXPECT_THAT(catalog.passed_over(), IsEmpty());
  EXPECT_TRUE(catalog.Find(QATLAS_KIND_SCHEME, "good").ok());
}

TEST(Catalog, HandshakeNamesBothSides) {
  Manifest manifest;
  manifest.sdk_abi = QATLAS_SDK_ABI;
  manifest.cxx_abi = QATLAS_CXX_ABI;
  manifest.abseil = QATLAS_ABSEIL;
  EXPECT_EQ(HandshakeMismatch(manifest, {}), "");
  manifest.abseil = "19990101";
  EXPECT_THAT(HandshakeMismatch(manifest, {}),
              AllOf(HasSubstr("19990101"), HasSubstr(QATLAS_ABSEIL)));
  manifest.abseil = QATLAS_ABSEIL;
  manifest.cxx_abi = "libc++/1";
  EXPECT_THAT(HandshakeMismatch(manifest, {}),
              AllOf(HasSubstr("libc++/1"), HasSubstr(QATLAS_CXX_ABI)));
}

// Each manifest has one thing wrong and is refused with its place.
TEST(Manifest, MalformedOnesGiveOneLineWithThePlace) {
  const std::string good = RawManifest("x");
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } cases[] = {
      {"version = \"1.0.0\"\n", "", ":1:1: the manifest lacks the key 'version'"},
      {"version = \"1.0.0\"", "version = 3",
       ":4:11: 'version' of the manifest must be text, not a whole number"},
      {"sdk-abi", "sdk_abi", "lacks the key 'sdk-abi'"},
      {"manifest = 1", "manifest = 2", ":1:12: 'manifest' of the manifest is 2; it must be from 1"},
      {"kind = \"scheme\"", "kind = \"cheese\"", ":12:8: component 'x' is of kind 'cheese'"},
      {"library = \"x.so\"", "library = \"../x.so\"", "must be the name of a file beside"},
      {"numerics = 1\n", "numerics = 1\ncolour = \"red\"\n", "unknown key 'colour' in a component"},
      {"abilities = []\n",
       "abilities = []\n[[component.option]]\nname = \"bits\"\ntype = \"int\"\ndefault = \"9\"\n"
       "maximum = 8.0\nhelp = \"\"\n",
       "option 'bits' of scheme 'x': its default does not fit: 'bits' is 9; it must be at most 8"},
      {"abilities = []\n",
       "abilities = []\n[[component.option]]\nname = \"bits\"\ntype = \"long\"\nhelp = \"\"\n",
       "type 'long' is unknown"},
  };
  for (const auto& one : cases) {
    Folder folder;
    std::string text = good;
    const size_t at = text.find(one.from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, std::string(one.from).size(), one.to);
    folder.Write("x.toml", text);
    const absl::Status status = ReadManifest(folder.File("x.toml")).status();
    const std::string message(status.message());
    EXPECT_THAT(message, AllOf(StartsWith(folder.File("x.toml") + ":"), HasSubstr(one.message)));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace qatlas::plugin
