#include "observe/page_reader.h"

#include <gmock/gmock.h>

#include <future>
#include <string>
#include <thread>

#include "fakes/scripted_fetcher.h"

namespace gopacer {
namespace {

const ObjectKey kOwner{"shop", "checkout"};

/// Takes a page for what it is; decoding waits for `may_go_on`.
class SlowReader {
 public:
  explicit SlowReader(std::shared_future<void> may_go_on) : may_go_on_(std::move(may_go_on)) {}
  bool feed(std::string_view piece) {
    body_ += piece;
    return true;
  }
  std::size_t kept() const { return body_.size(); }
  Result<std::string> finish() {
    may_go_on_.wait();
    return body_;
  }

 private:
  std::shared_future<void> may_go_on_;
  std::string body_;
};

/// Gives the thread by which it was fed last.
class WhoFedMe {
 public:
  bool feed(std::string_view) {
    fed_by_ = std::this_thread::get_id();
    return true;
  }
  std::size_t kept() const { return 0; }
  Result<std::string> finish() { return std::string(fed_by_ == test_ ? "the fetcher's thread" : "another thread"); }

 private:
  const std::thread::id test_ = std::this_thread::get_id();
  std::thread::id fed_by_;
};

class PageReaderTest : public testing::Test {
 public:
  ~PageReaderTest() override {
    {
      const std::lock_guard lock(reader_->mutex());
      reader_->stop();
    }
    reader_->stop_decoding();
  }

 protected:
  PageReaderTest() {
    fetcher_.on("/slow", {"slow"});
    fetcher_.on("/long", {std::string(1 << 20, 'x')});
    fetcher_.on("/quick", {"quick"});
    reader_->start_decoding();
    go_on_.set_value();
  }

  /// What the page gave, once it is decoded.
  std::future<std::string> read(PageKind kind, const std::string& target, std::shared_future<void> may_go_on) {
    return read(kind, target, std::make_shared<SlowReader>(std::move(may_go_on)));
  }
  template <typename Reader>
  std::future<std::string> read(PageKind kind, const std::string& target, std::shared_ptr<Reader> reader) {
    auto read = std::make_shared<std::promise<std::string>>();
    HttpRequest request;
    request.target = target;
    const std::lock_guard lock(reader_->mutex());
    reader_->read(
        reader_->pages, false, kOwner, kind, request, std::move(reader), [] { return true; },
        [read](const tl::expected<std::string, PageError>& page) {
          read->set_value(page ? *page : page.error().detail);
        });
    return read->get_future();
  }

  ScriptedFetcher fetcher_;
  std::shared_ptr<PageReader> reader_ = std::make_shared<PageReader>(fetcher_, ScraperOptions{});
  std::promise<void> go_on_;
  std::shared_future<void> at_once_ = go_on_.get_future().share();
};

TEST_F(PageReaderTest, ASlowDecodingKeepsNobodyFromReadingOtherPages) {
  std::promise<void> release;
  const std::shared_future<void> later = release.get_future().share();
  std::future<std::string> profile = read(PageKind::kCpuProfile, "/slow", later);
  std::future<std::string> page = read(PageKind::kMetrics, "/long", later);
  std::future<std::string> quick = read(PageKind::kVars, "/quick", at_once_);
  fetcher_.answer_all();  // as the fetcher's thread would: it comes back although two pages are not decoded yet
  EXPECT_EQ(quick.get(), "quick");
  EXPECT_EQ(reader_->pages.running(), 2U) << "their places are not free before they are decoded";
  release.set_value();
  EXPECT_EQ(profile.get(), "slow");
  EXPECT_EQ(page.get().size(), 1U << 20);
}

TEST_F(PageReaderTest, NoPageOfMetricsIsDecodedByTheFetchersThreadHoweverShort) {
  std::future<std::string> quick = read(PageKind::kMetrics, "/quick", std::make_shared<WhoFedMe>());
  std::future<std::string> large = read(PageKind::kMetrics, "/long", std::make_shared<WhoFedMe>());
  std::future<std::string> kubelet = read(PageKind::kCadvisor, "/long", std::make_shared<WhoFedMe>());
  fetcher_.answer_all();
  EXPECT_EQ(quick.get(), "another thread") << "six kilobytes of protobuf can be made to take 15 ms";
  EXPECT_EQ(large.get(), "another thread");
  EXPECT_EQ(kubelet.get(), "the fetcher's thread") << "no pod chooses what stands there";
}

/// Gives how many pieces it was fed.
class HowManyPieces {
 public:
  bool feed(std::string_view) {
    ++pieces_;
    return true;
  }
  std::size_t kept() const { return 0; }
  Result<std::string> finish() { return std::to_string(pieces_); }

 private:
  int pieces_ = 0;
};

TEST_F(PageReaderTest, SingleBytesWaitForOneAnother) {
  ScriptedFetcher::Reply drip{std::string(20'000, 'x')};
  drip.piece = 1;
  fetcher_.on("/drip", drip);
  std::future<std::string> page = read(PageKind::kMetrics, "/drip", std::make_shared<HowManyPieces>());
  fetcher_.answer_all();
  EXPECT_EQ(page.get(), "2") << "16 KiB, and what is left";
}

TEST_F(PageReaderTest, APageIsGivenUpWhenItsNamespaceHasNoRoomAndOthersAreRead) {
  ScraperOptions options;
  options.reading_bytes = 3 << 20;
  reader_->stop_decoding();
  reader_ = std::make_shared<PageReader>(fetcher_, options);
  fetcher_.on("/longer", {std::string(2 << 20, 'x')});
  std::future<std::string> given_up = read(PageKind::kHeap, "/longer", at_once_);
  std::future<std::string> never_decoded = read(PageKind::kMetrics, "/longer", at_once_);
  std::future<std::string> read_well = read(PageKind::kHeap, "/long", at_once_);
  fetcher_.answer_all();
  EXPECT_THAT(given_up.get(), testing::HasSubstr("too many large pages at once"));
  EXPECT_THAT(never_decoded.get(), testing::HasSubstr("too many large pages at once"));
  EXPECT_EQ(read_well.get().size(), 1U << 20) << "what was given up takes no room";
}

}  // namespace
}  // namespace gopacer
