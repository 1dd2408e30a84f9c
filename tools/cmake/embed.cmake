# cmake -DFROM=file -DTO=file.inc -P embed.cmake: writes the bytes of a file as C++ wants them between two braces.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
# Lines that a tool can show.
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "${bytes}\n")
