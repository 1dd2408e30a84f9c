// What sanitizers are told to leave out; they ask for it by these names.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

/// Threads of the HTTP library run until the process ends. Each has some state of OpenSSL, and one that is torn down in
/// the middle of a cancelled request loses that request's tasks: a few at the end, not a growing leak.
extern "C" const char* __lsan_default_suppressions() { return "leak:libcrypto.so\nleak:libcpprest.so\n"; }

/// The two libraries were built without ThreadSanitizer, which so does not see how they count references and hand over
/// tasks.
extern "C" const char* __tsan_default_suppressions() { return "race:libcrypto.so\nrace:libcpprest.so\nrace:pplx::\n"; }

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
