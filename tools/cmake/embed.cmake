# cmake -DFROM=file -DTO=file.cpp -DNAME=kName -P embed.cmake: makes a file's bytes gopacer::kName, and their number
# gopacer::kNameSize.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "#include <cstddef>
namespace gopacer {
extern const unsigned char ${NAME}[];
extern const std::size_t ${NAME}Size;
alignas(8) const unsigned char ${NAME}[] = {${bytes}};
const std::size_t ${NAME}Size = sizeof(${NAME});
}  // namespace gopacer
")
