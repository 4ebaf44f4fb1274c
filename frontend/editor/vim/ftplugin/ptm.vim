" Models of ptm: comments, two columns for each block, imports, and :PtmFmt for `ptm fmt` on the buffer.
if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1

setlocal comments=:# commentstring=#\ %s
setlocal expandtab shiftwidth=2 softtabstop=2 textwidth=120
setlocal autoindent smartindent formatoptions+=croql formatoptions-=t
setlocal suffixesadd=.ptm

" The buffer stays as it is when the file has syntax errors.
function! s:Format() abort
  let text = systemlist("ptm fmt -", getline(1, "$"))
  if v:shell_error
    echohl ErrorMsg | echo join(text, "\n") | echohl None
    return
  endif
  let view = winsaveview()
  call setline(1, text)
  silent execute (len(text) + 1) . ",$delete _"
  call winrestview(view)
endfunction
command! -buffer PtmFmt call s:Format()

let b:undo_ftplugin = "setlocal comments< commentstring< expandtab< shiftwidth< softtabstop< textwidth< autoindent<"
      \ . " smartindent< formatoptions< suffixesadd< | delcommand -buffer PtmFmt"
