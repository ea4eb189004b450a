// What a `[data]` table says: where tokens come from and how they become a training and a
// validation stream. Plain structs; the recipe fills them, Prepare() in source.h reads them.
#ifndef QATLAS_FRAMEWORK_DATA_SOURCE_SPEC_H_
#define QATLAS_FRAMEWORK_DATA_SOURCE_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

namespace qatlas::data {

enum class SourceKind { kText, kTokens, kSynthetic };

// Text that a tokenizer is trained on. Read when kind is kText.
struct TextSpec {
  // Files, folders (all files below, hidden ones left out, in the order of their paths) and globs.
  // Gzip and dictzip are recognized by their first bytes. Relative paths start at the current
  // folder.
  std::vector<std::string> files;
  // Splits a file into documents, such as "\n\n" for blank lines ("\r\n\r\n" in files of Windows);
  // taken literally and left out. Empty: one document per file.
  std::string separator;
  // Documents with fewer bytes are left out.
  int64_t min_document_bytes = 1;
  // Ids of the tokenizer: end of document (0), unknown (1), 256 bytes, then learned pieces.
  int64_t vocabulary = 1024;
  // "identity" keeps every byte of (repaired) text. "nmt_nfkc" is SentencePiece's own default:
  // NFKC, and any run of white space, line ends too, becomes one space. "nfkc" and the case-folding
  // "nmt_nfkc_cf" and "nfkc_cf" are as SentencePiece defines them.
  std::string normalization = "nmt_nfkc";
  // The tokenizer is trained on about so many bytes of training documents, picked by hash.
  int64_t tokenizer_sample_bytes = int64_t{4} << 20;
};

// Token ids that somebody else made. Read when kind is kTokens.
struct TokensSpec {
  // Files, folders and globs as in TextSpec; their tokens are one stream in this order.
  std::vector<std::string> files;
  // Validation stream. Empty: the tail of `files`, SourceSpec::validation_fraction of its tokens.
  std::vector<std::string> validation_files;
  // "auto" tells .npy and llm.c files by their first bytes and takes all else as raw;
  // "raw", "llmc" and "npy" insist.
  std::string format = "auto";
  // Element type of raw files, little-endian: "uint16" or "uint32". Others carry theirs.
  std::string dtype = "uint16";
  // Every id must be below. There is no default: the model is built for it.
  int64_t vocabulary = 0;
};

// Tokens whose entropy rate is known in closed form (synthetic.h). Read when kind is kSynthetic.
struct SyntheticSpec {
  int64_t vocabulary = 1024;
  // Successors of each context; at most `vocabulary`.
  int64_t branching = 16;
  // The i-th successor of a context has probability proportional to (i + 1)^-exponent, so that the
  // entropy rate is the entropy of this distribution.
  double exponent = 1.0;
  // Contexts are the last token and the class of the one before: 1 makes a first-order chain.
  int64_t classes = 8;
  // Tokens appear as successors with weight (rank + 1)^-popularity: the larger, the more unequal
  // are the frequencies of contexts. 0: all alike.
  double popularity = 1.0;
  int64_t train_tokens = 0;
  int64_t validation_tokens = 0;
  // Decides the chain and the tokens drawn from it.
  uint64_t seed = 0;
};

struct SourceSpec {
  SourceKind kind = SourceKind::kText;
  TextSpec text;
  TokensSpec tokens;
  SyntheticSpec synthetic;
  // Share of the documents (text) or of the tokens (token files without validation files) that is
  // kept for validation; in (0, 1).
  double validation_fraction = 0.01;
  // Text: so many documents instead of a share, when above 0.
  int64_t validation_documents = 0;
  // Text: decides which documents are kept for validation. Not the training seed, so that runs of
  // different seeds are measured on the same sequences.
  uint64_t split_seed = 0;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_SOURCE_SPEC_H_
