#pragma once

#include <string>

#include "observe/scraper_probe.h"
#include "ports/http_fetcher.h"

namespace gopacer {

/// Why a page gave nothing.
struct PageError {
  PageFailure failure = PageFailure::kNone;
  int status = 0;       ///< for kStatus
  std::string detail;   ///< the fetcher's, the page's or the decoder's words, without a subject
  bool absent = false;  ///< for kContent: the page is a sound one, but not of the kind that was looked for
};

PageError page_error(const FetchError& error);
PageError page_error(const HttpAnswer& answer);

/// A sentence for people: what happened, to whom, and what to do. `subject` is "shop/checkout-abc" or "node a".
std::string failure_text(PageKind kind, const std::string& subject, const HttpRequest& request, const PageError& error);

}  // namespace gopacer
