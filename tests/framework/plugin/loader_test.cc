#include "framework/plugin/loader.h"

#include "folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "qatlas/scheme.h"

namespace qatlas::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

OptionTable Bits(int64_t bits) {
  OptionTable table;
  table.values["bits"] = bits;
  return table;
}

// A folder with the good plugin and a broken one.
class LoaderTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_.Copy("scheme-test-good"); }

  // Copies the library and writes an honest manifest; gives what creating its scheme says.
  absl::Status CreateBroken(const std::string& name, const std::string& manifest,
                            const Host& host = {}) {
    folder_.Copy(name);
    folder_.Write(name + ".toml", manifest);
    return CreateAndCheckGood(name, host);
  }
  absl::Status CreateAndCheckGood(const std::string& name, const Host& host = {}) {
    const Catalog catalog = Catalog::Scan({folder_.path()}, host);
    const absl::Status status = Create<Scheme>(catalog, name, {}).status();
    // The rest stays usable, and one line says it all.
    EXPECT_TRUE(Create<Scheme>(catalog, "good", Bits(4)).ok());
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
    return status;
  }
  // The message, which must begin with the library's path.
  std::string Message(const absl::Status& status, const std::string& library) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    const std::string message(status.message());
    const std::string prefix = folder_.File(library) + ": ";
    EXPECT_THAT(message, StartsWith(prefix));
    return message.substr(std::min(prefix.size(), message.size()));
  }

  Folder folder_;
};

TEST_F(LoaderTest, CreatesWithDefaultsFilledIn) {
  const Catalog catalog = Catalog::Scan({folder_.path()});
  auto scheme = Create<Scheme>(catalog, "good", Bits(3));
  ASSERT_TRUE(scheme.ok()) << scheme.status();
  auto rules = (*scheme)->Rules();
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(CanonicalText((*rules)[0].options),
            "{bits = 3, flag = true, mode = \"fast\", more = {}, name = \"none\", ratio = 0.5}");
}

TEST_F(LoaderTest, ReportsAllWrongOptions) {
  const Catalog catalog = Catalog::Scan({folder_.path()});
  OptionTable table = Bits(9);
  table.values["mod"] = std::string("fast");
  const absl::Status status = Create<Scheme>(catalog, "good", table).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("'bits' is 9; it must be from 2 to 8"),
                    HasSubstr("has no option 'mod'; nearest valid name: 'mode'")));
}

TEST_F(LoaderTest, WrongAbiInManifestIsPassedOver) {
  const absl::Status status = CreateBroken("wrong_abi", RawManifest("wrong_abi", "", 999));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("wrong_abi.so"),
                    HasSubstr(absl::StrCat("built for SDK ABI 999, this program has SDK ABI ",
                                           QATLAS_SDK_ABI))));
}

TEST_F(LoaderTest, WrongAbiInLibrary) {
  EXPECT_EQ(Message(CreateBroken("wrong_abi", RawManifest("wrong_abi")), "wrong_abi.so"),
            absl::StrCat("the library is built for SDK ABI 999, this program has SDK ABI ",
                         QATLAS_SDK_ABI,
                         ": the plugin is newer; install a Qatlas that has SDK ABI 999, or "
                         "build the plugin against the installed SDK"));
}

TEST_F(LoaderTest, WrongMagic) {
  EXPECT_EQ(Message(CreateBroken("wrong_magic", RawManifest("wrong_magic")), "wrong_magic.so"),
            "its descriptor begins with 0x1234, not with 0x313053414c544151: no plugin of qatlas");
}

TEST_F(LoaderTest, WrongSize) {
  EXPECT_THAT(Message(CreateBroken("wrong_size", RawManifest("wrong_size")), "wrong_size.so"),
              StartsWith("its descriptor has 8 bytes, this program's "));
}

TEST_F(LoaderTest, WrongLibTorch) {
  Host host;
  host.libtorch = "2.11.0";
  const absl::Status manifest =
      CreateBroken("wrong_torch", RawManifest("wrong_torch", "1.13.0"), host);
  EXPECT_EQ(manifest.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(manifest.message()),
              HasSubstr("built for LibTorch 1.13.0, this program has LibTorch 2.11.0"));
  // The manifest lies: the library's own word is read before a factory is called.
  folder_.Write("wrong_torch.toml", RawManifest("wrong_torch", "2.11.0"));
  EXPECT_THAT(Message(CreateAndCheckGood("wrong_torch", host), "wrong_torch.so"),
              HasSubstr("the library is built for LibTorch 1.13.0, this program has LibTorch "
                        "2.11.0"));
}

TEST_F(LoaderTest, AProgramWithoutLibTorchListsButDoesNotOpen) {
  const std::string message =
      Message(CreateBroken("wrong_torch", RawManifest("wrong_torch", "1.13.0")), "wrong_torch.so");
  EXPECT_THAT(message, HasSubstr("it uses LibTorch 1.13.0, which this program does not load"));
  const Catalog catalog = Catalog::Scan({folder_.path()});
  EXPECT_NE(catalog.FindDeclaration(QATLAS_KIND_SCHEME, "wrong_torch"), nullptr);
}

TEST_F(LoaderTest, MissingEntryPoint) {
  EXPECT_THAT(Message(CreateBroken("no_entry", RawManifest("no_entry")), "no_entry.so"),
              StartsWith("it exports no function qatlas_plugin"));
}

TEST_F(LoaderTest, UnresolvedSymbol) {
  EXPECT_THAT(Message(CreateBroken("unresolved", RawManifest("unresolved")), "unresolved.so"),
              AllOf(StartsWith("it cannot be opened: "), HasSubstr("nobody_defines_this")));
}

TEST_F(LoaderTest, NullDescriptor) {
  EXPECT_EQ(Message(CreateBroken("null_descriptor", RawManifest("null_descriptor")),
                    "null_descriptor.so"),
            "qatlas_plugin() gave nothing");
}

TEST_F(LoaderTest, AFileThatIsNoLibrary) {
  folder_.Write("text.so", "This is a text.\n");
  folder_.Write("text.toml", RawManifest("text"));
  EXPECT_THAT(Message(CreateAndCheckGood("text"), "text.so"),
              AllOf(StartsWith("it cannot be opened: "), HasSubstr("file too short")));
}

// The linker maps what the headers name, and a page behind the file's end kills the process.
TEST_F(LoaderTest, ATruncatedLibraryIsNotOpened) {
  folder_.Copy("scheme-test-good", "half");
  folder_.Write("half.toml", RawManifest("half"));
  const std::string library = folder_.File("half.so");
  const uintmax_t whole = std::filesystem::file_size(library);
  const Catalog before = Catalog::Scan({folder_.path()});
  for (const uintmax_t bytes : {whole - 1, whole / 2, uintmax_t{4096}, uintmax_t{100}}) {
    std::filesystem::resize_file(library, bytes);
    EXPECT_THAT(Message(Create<Scheme>(before, "half", {}).status(), "half.so"),
                StartsWith("it is truncated: "))
        << bytes;
    const Catalog after = Catalog::Scan({folder_.path()});
    EXPECT_EQ(after.FindDeclaration(QATLAS_KIND_SCHEME, "half"), nullptr);
    ASSERT_EQ(after.passed_over().size(), 1u);
    EXPECT_EQ(after.passed_over()[0].path, library);
    EXPECT_TRUE(after.passed_over()[0].broken);
    EXPECT_THAT(after.passed_over()[0].reason, StartsWith("it is truncated: "));
  }
}

TEST_F(LoaderTest, AnErrorStaysTheSameWhenAskedAgain) {
  const absl::Status first = CreateBroken("no_entry", RawManifest("no_entry"));
  EXPECT_EQ(CreateAndCheckGood("no_entry"), first);
}

TEST_F(LoaderTest, FactoriesThatMisbehave) {
  folder_.Copy("scheme-test-throwing");
  const std::string who = " of plugin 'throwing' (" + folder_.File("scheme-test-throwing.so") + ")";
  EXPECT_EQ(CreateAndCheckGood("throws").message(),
            "scheme 'throws'" + who + ": its factory threw: no memory for that");
  EXPECT_EQ(CreateAndCheckGood("throws-number").message(),
            "scheme 'throws-number'" + who + ": its factory threw something that is no exception");
  EXPECT_EQ(CreateAndCheckGood("nothing").message(),
            "scheme 'nothing'" + who + ": its factory returned nothing");
  EXPECT_EQ(CreateAndCheckGood("registered").message(),
            "scheme 'registered'" + who + ": registered: its factory threw: thrown in Create");
  const absl::Status fails = CreateAndCheckGood("fails");
  EXPECT_EQ(fails.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(fails.message(), "scheme 'fails'" + who + ": bits and group disagree");
}

// Each line changes one thing of the good plugin's manifest and must be named with both values.
struct Lie {
  const char* from;
  const char* to;
  const char* message;
};

TEST(LoaderLies, AManifestThatDisagreesIsNamed) {
  const Lie lies[] = {
      {"version = \"2.1.0\"", "version = \"2.2.0\"",
       "version is '2.2.0' in the manifest and '2.1.0' in the library"},
      {"numerics = 3", "numerics = 4",
       "numerics version of scheme 'good' is '4' in the manifest and '3' in the library"},
      {"summary = \"Works\"", "summary = \"Shines\"",
       "summary of scheme 'good' is 'Shines' in the manifest and 'Works' in the library"},
      {"\"plain\", ", "",
       "abilities of scheme 'good' is 'bits:1.58, role:fc1, role:fc2' in the manifest and "},
      {"maximum = 8.0", "maximum = 16.0",
       "option 'bits' of scheme 'good': maximum is '16.0' in the manifest and '8.0' in the "
       "library"},
      {"default = \"0.5\"", "default = \"0.25\"",
       "option 'ratio' of scheme 'good': default is '0.25' in the manifest and '0.5' in the "
       "library"},
      {"name = \"flag\"", "name = \"flags\"",
       "list of options of scheme 'good' is 'bits, ratio, flags, name, mode, more' in the "
       "manifest "},
      {"name = \"good\"\nsummary", "name = \"better\"\nsummary",
       "list of components is 'scheme better' in the manifest and 'scheme good' in the library"},
  };
  for (const Lie& lie : lies) {
    Folder folder;
    folder.Copy("scheme-test-good");
    std::ifstream in(folder.File("scheme-test-good.toml"));
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const size_t at = text.find(lie.from);
    ASSERT_NE(at, std::string::npos) << lie.from;
    text.replace(at, std::string(lie.from).size(), lie.to);
    folder.Write("scheme-test-good.toml", text);
    const Catalog catalog = Catalog::Scan({folder.path()});
    ASSERT_EQ(catalog.Names(QATLAS_KIND_SCHEME).size(), 1u) << lie.message;
    const std::string name = catalog.Names(QATLAS_KIND_SCHEME)[0];
    const absl::Status status = Create<Scheme>(catalog, name, Bits(4)).status();
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("it disagrees with its manifest"), HasSubstr(lie.message)));
  }
}

}  // namespace
}  // namespace qatlas::plugin
