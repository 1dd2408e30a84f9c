module recorder

go 1.18
