#include "cli/page_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(PageUrl, IsTakenApart) {
  struct Row {
    const char* text;
    const char* host;
    int port;
    const char* path;
  };
  for (const Row& row :
       {Row{"http://127.0.0.1:6060/debug/pprof", "127.0.0.1", 6060, "/debug/pprof"},
        Row{"http://shop/debug/pprof/", "shop", 80, "/debug/pprof"}, Row{"localhost:6060", "localhost", 6060, ""},
        Row{"http://[::1]:8080/metrics", "::1", 8080, "/metrics"}, Row{"http://[::1]", "::1", 80, ""}}) {
    const Result<HttpUrl> url = parse_page_url("--url", row.text);
    ASSERT_TRUE(url) << row.text << ": " << url.error().message;
    EXPECT_EQ(url->host, row.host);
    EXPECT_EQ(url->port, row.port);
    EXPECT_EQ(url->path, row.path);
  }
}

TEST(PageUrl, IsRefusedWithTheOptionsNameAndAnExample) {
  for (const char* const text :
       {"", "http://", "ftp://a/b", "http://a:/x", "http://a:0/x", "http://a:99999", "http://a:6o60", "http://[::1",
        "http://[::1]6060", "http://a/x?y=1", "http://a/x#y", "http://me@a/x", "http://a /x"}) {
    const Result<HttpUrl> url = parse_page_url("--url", text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error().message,
                ::testing::AllOf(::testing::HasSubstr("--url '"), ::testing::HasSubstr("http://127.0.0.1:6060")));
  }
}

TEST(PageUrl, PrefersIpv4WhereServersMostlyListen) {
  EXPECT_EQ(resolve({false, "localhost", 80, ""}).value_or("none"), "127.0.0.1");
  EXPECT_EQ(resolve({false, "::1", 80, ""}).value_or("none"), "::1");
}

}  // namespace
}  // namespace gopacer
