#include "gopacer/base/http_url.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(HttpUrl, IsTakenApart) {
  EXPECT_EQ(parse_http_url("http://prometheus.monitoring"), (HttpUrl{false, "prometheus.monitoring", 80, ""}));
  EXPECT_EQ(parse_http_url("https://prometheus/select/0/"), (HttpUrl{true, "prometheus", 443, "/select/0"}));
  EXPECT_EQ(parse_http_url("https://[fd00::1]:9090"), (HttpUrl{true, "fd00::1", 9090, ""}));
  EXPECT_EQ(parse_http_url("https://[fd00::1]:9090")->place(), "[fd00::1]:9090");
}

TEST(HttpUrl, IsRefusedWhereItIsMoreOrLessThanThat) {
  for (const char* const text :
       {"", "prometheus:9090", "ftp://a", "http://", "https:///x", "http://a:0", "http://a:65536",
        "http://a:", "http://a?b", "http://me@a", "http://a#b", "http://[::1", "http://a b"}) {
    EXPECT_FALSE(parse_http_url(text)) << text;
  }
}

}  // namespace
}  // namespace gopacer
