autocmd BufRead,BufNewFile *.ptm setfiletype ptm
