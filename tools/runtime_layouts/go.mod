module runtimelayouts

go 1.21
