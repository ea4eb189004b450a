#include "framework/data/text.h"

#include <gmock/gmock.h>

#include <numeric>

#include "framework/data/source.h"
#include "framework/data/tokenizer.h"
#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TextTest : public DataTest {
 protected:
  SourceSpec Spec(const std::string& corpus, int64_t vocabulary = 320) const {
    SourceSpec spec;
    spec.text.files = {Put("corpus.txt", corpus).string()};
    spec.text.separator = "\n\n";
    spec.text.vocabulary = vocabulary;
    spec.text.normalization = "identity";
    spec.validation_fraction = .1;
    return spec;
  }
  PreparedData Ready(const SourceSpec& spec) const {
    auto data = Prepare(spec, cache());
    EXPECT_TRUE(data.ok()) << data.status();
    return data.ok() ? *std::move(data) : PreparedData();
  }
  // The documents of a stream, decoded.
  static std::vector<std::string> Documents(const PreparedData& data, const TokenStore& store) {
    std::string error;
    const auto tokenizer = Tokenizer::Load(Content(data.folder / "tokenizer.model"), &error);
    EXPECT_NE(tokenizer, nullptr) << error;
    std::vector<std::string> documents;
    std::vector<int32_t> ids;
    for (const int64_t id : ReadAll(store)) {
      if (id != kEndOfDocument) {
        ids.push_back(static_cast<int32_t>(id));
        continue;
      }
      documents.push_back(tokenizer->Decode(ids));
      ids.clear();
    }
    EXPECT_TRUE(ids.empty()) << "the last document has no end";
    return documents;
  }
};

TEST_F(TextTest, EveryDocumentComesBackOnOneSide) {
  const std::string corpus =
      MakeCorpus(200, 1) + "\n\n\ttab, caf\xC3\xA9 \xF0\x9F\x98\x80   blanks \n";
  const PreparedData data = Ready(Spec(corpus));
  EXPECT_EQ(data.info.train.documents, 181);
  EXPECT_EQ(data.info.validation.documents, 20);
  std::vector<std::string> all = Documents(data, data.train);
  EXPECT_EQ(all.size(), 181u);
  const std::vector<std::string> held = Documents(data, data.validation);
  EXPECT_EQ(held.size(), 20u);
  all.insert(all.end(), held.begin(), held.end());
  std::vector<std::string> expected;
  size_t at = 0;
  for (size_t end; (end = corpus.find("\n\n", at)) != std::string::npos; at = end + 2) {
    expected.push_back(corpus.substr(at, end - at));
  }
  expected.push_back(corpus.substr(at));
  std::sort(all.begin(), all.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(all, expected);
  EXPECT_EQ(*data.info.train.bytes + *data.info.validation.bytes,
            static_cast<int64_t>(corpus.size()) - 2 * 200);
  EXPECT_DOUBLE_EQ(*data.info.bytes_per_token, static_cast<double>(*data.info.train.bytes) /
                                                   static_cast<double>(data.train.size()));
}

TEST_F(TextTest, TwoPreparationsAreByteIdentical) {
  const SourceSpec spec = Spec(MakeCorpus(300, 2));
  const auto first = Prepare(spec, root_ / "one");
  const auto second = Prepare(spec, root_ / "two");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->folder, second->folder);
  for (const char* name : {"train.bin", "validation.bin", "tokenizer.model", "info.json"}) {
    EXPECT_FALSE(Content(first->folder / name).empty());
    EXPECT_EQ(Content(first->folder / name), Content(second->folder / name)) << name;
  }
}

TEST_F(TextTest, NormalizationMakesWhiteSpaceOneBlank) {
  SourceSpec spec = Spec(MakeCorpus(200, 1) + "\n\n  two   blanks\n   and a line ");
  spec.text.normalization = "nmt_nfkc";
  const PreparedData data = Ready(spec);
  std::vector<std::string> all = Documents(data, data.train);
  const std::vector<std::string> held = Documents(data, data.validation);
  all.insert(all.end(), held.begin(), held.end());
  EXPECT_THAT(all, ::testing::Contains("two blanks and a line"));
}

TEST_F(TextTest, TokenizerLearnsFromTrainingDocumentsOnly) {
  // Both corpora differ in validation documents alone: their tokenizers are the same.
  const std::vector<bool> held = ChooseDocuments(100, 10, 0);
  EXPECT_EQ(std::accumulate(held.begin(), held.end(), 0), 10);
  std::string one, two;
  for (int i = 0; i < 100; ++i) {
    const std::string document = MakeCorpus(1, 1000 + i);
    one += (i > 0 ? "\n\n" : "") + document;
    two += (i > 0 ? "\n\n" : "") + (held[i] ? std::string(document.size(), 'z') : document);
  }
  const PreparedData a = Ready(Spec(one)), b = Ready(Spec(two));
  EXPECT_EQ(Content(a.folder / "tokenizer.model"), Content(b.folder / "tokenizer.model"));
  EXPECT_EQ(Content(a.folder / "train.bin"), Content(b.folder / "train.bin"));
  EXPECT_NE(Content(a.folder / "validation.bin"), Content(b.folder / "validation.bin"));
}

TEST_F(TextTest, TokenizerLearnsFromTheSampleAskedFor) {
  SourceSpec spec = Spec(MakeCorpus(400, 3), 300);
  const PreparedData all = Ready(spec);
  EXPECT_EQ(all.info.tokenizer_sample_bytes, all.info.train.bytes);
  spec.text.tokenizer_sample_bytes = 5000;
  const PreparedData some = Ready(spec);
  EXPECT_GE(*some.info.tokenizer_sample_bytes, 5000);
  EXPECT_LT(*some.info.tokenizer_sample_bytes, 6000);
  EXPECT_NE(Content(all.folder / "tokenizer.model"), Content(some.folder / "tokenizer.model"));
}

TEST_F(TextTest, LongDocumentsAreNotDropped) {
  // Far above SentencePiece's limit for a sentence: with one of them a file, all text is in them.
  std::string text;
  for (int i = 0; i < 40; ++i) text += MakeCorpus(40, 50 + i) + " ";
  const std::string other(9000, 'q');  // no blank to cut at
  SourceSpec spec = Spec(text);
  spec.text.files = {Put("a/1.txt", text).string(), Put("a/2.txt", text + other).string()};
  spec.text.separator = "";
  spec.validation_documents = 1;
  const PreparedData data = Ready(spec);
  std::vector<std::string> all = Documents(data, data.train);
  all.push_back(Documents(data, data.validation).front());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<std::string>{text, text + other}));
  // The tokenizer saw the words: it would need a token a byte otherwise.
  EXPECT_GT(*data.info.bytes_per_token, 1.5);
}

TEST_F(TextTest, InvalidBytesAreReplacedAndCounted) {
  const PreparedData data = Ready(Spec(MakeCorpus(200, 1) + "\n\nbad \xE9 and \xFF\xFE bytes"));
  EXPECT_EQ(data.info.replaced_bytes, 3);
  std::vector<std::string> all = Documents(data, data.train);
  const std::vector<std::string> held = Documents(data, data.validation);
  all.insert(all.end(), held.begin(), held.end());
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_THAT(all, ::testing::Contains("bad " + mark + " and " + mark + mark + " bytes"));
}

TEST_F(TextTest, OddCharactersAreEncodable) {
  // A NUL, SentencePiece's mark for unknown pieces, and text in scripts never seen in training.
  const std::string odd = std::string("nul \0 mark \xE2\x96\x85 ", 15) + "\xE4\xBD\xA0\xE5\xA5\xBD";
  SourceSpec spec = Spec(MakeCorpus(200, 1) + "\n\n" + odd);
  for (const uint64_t seed : {0, 1, 2, 3}) {
    spec.split_seed = seed;
    const PreparedData data = Ready(spec);
    std::vector<std::string> all = Documents(data, data.train);
    const std::vector<std::string> held = Documents(data, data.validation);
    all.insert(all.end(), held.begin(), held.end());
    EXPECT_THAT(all, ::testing::Contains(odd));
  }
}

TEST_F(TextTest, ShortDocumentsAreLeftOut) {
  SourceSpec spec = Spec(MakeCorpus(200, 1) + "\n\nshort\n\n\n\n   \n\nshort too");
  spec.text.min_document_bytes = 10;
  const PreparedData data = Ready(spec);
  EXPECT_EQ(data.info.short_documents, 2);
  EXPECT_EQ(*data.info.train.documents + *data.info.validation.documents, 200);
}

TEST_F(TextTest, EmptyCorpusIsAnError) {
  for (const char* text : {"", "\n\n\n\n", " \n\n \t"}) {
    const auto data = Prepare(Spec(text), cache());
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(data.status()), HasSubstr("corpus is empty"));
  }
  EXPECT_TRUE(CacheNames().empty());
}

TEST_F(TextTest, OneDocumentCannotBeSplit) {
  SourceSpec spec = Spec("all in one");
  auto data = Prepare(spec, cache());
  EXPECT_THAT(Message(data.status()), AllOf(HasSubstr("one document"), HasSubstr("more files")));
  spec.text.separator = "";
  data = Prepare(spec, cache());
  EXPECT_THAT(Message(data.status()), AllOf(HasSubstr("one document"), HasSubstr("set separator")));
  EXPECT_TRUE(CacheNames().empty());
}

TEST_F(TextTest, SplitLeavesBothSidesSomething) {
  SourceSpec spec;
  spec.validation_fraction = .001;
  EXPECT_EQ(*ValidationDocuments(spec, 10), 1);
  spec.validation_fraction = .999;
  EXPECT_EQ(*ValidationDocuments(spec, 10), 9);
  spec.validation_documents = 9;
  EXPECT_EQ(*ValidationDocuments(spec, 10), 9);
  spec.validation_documents = 10;
  EXPECT_THAT(Message(ValidationDocuments(spec, 10).status()),
              AllOf(HasSubstr("validation_documents = 10"), HasSubstr("10 documents")));
}

TEST_F(TextTest, VocabularyTooLargeForTheCorpusIsSaid) {
  const auto data = Prepare(Spec(MakeCorpus(20, 1), 30000), cache());
  EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(data.status()),
              AllOf(HasSubstr("vocabulary = 30000"), HasSubstr("SentencePiece says")));
  EXPECT_TRUE(CacheNames().empty());
}

TEST_F(TextTest, VocabularyTooSmallForTheCharactersIsSaid) {
  const auto data = Prepare(Spec(MakeCorpus(50, 1), 260), cache());
  EXPECT_THAT(Message(data.status()),
              AllOf(HasSubstr("vocabulary = 260"), HasSubstr("258 ids are reserved")));
}

}  // namespace
}  // namespace qatlas::data
