" Models of ptm. Made by frontend/editor/make.sh from the tables of the language.
if exists("b:current_syntax")
  finish
endif

syntax match ptmValue /\<\%(training\|step\|steps\|epoch\)\>/
syntax match ptmConstant /\<\%(inf\|nan\|pi\)\>/
syntax match ptmFunction /\<\%(exp\|log\|tanh\|erf\|sin\|cos\|sqrt\|floor\|where\|max\|sum\|cumsum\|einsum\|reshape\|permute\|expand\|new_axis\|slice\|pad\|concat\|window\|iota\|full\|uniform\|integers\|stop\|size\|rank\|shape\|argsort\|topk\|find\|prefix\|nonzero\|tally\|check\|fail\|normal\|truncated_normal\|xavier\|kaiming\|abs\|square\|rsqrt\|ceil\|round\|sign\|min\|clamp\|expm1\|sigmoid\|gate\|log1p_near\|log1p\|log_sigmoid\|softplus\|relu\|silu\|gelu\|gelu_tanh\|ratio\|precision\|recall\|f1\|matthews\|pearson\|flatten\|swap\|flip\|split\|stack\|repeat\|take\|one_hot\|eye\|tril\|scatter_sum\|counts\|sinusoid\|linear\|embedding\|layer_norm\|rms_norm\|dropout\|cross_entropy\|attend\|sgd\|momentum\|bias_correction\|adam_direction\|adam\|adamw\|adagrad\|rmsprop\|mean\|var\|norm\|unit\|any\|all\|mean_over\|row_shift\|logsumexp\|softmax\|log_softmax\|argmax\|argmin\|warmup_steps\|warmed\|progress\|constant\|linear\|cosine\|halving\|plateau\|read\|tsv\|npy\|idx\|lines\|chars\|bytes\|words\|labels\|decode\|size\|wrap\|pad\|flat\|holdout\|windows\|streams\|batches\)\>\%(\s*(\)\@=/
syntax match ptmType /\<\%(f32\|f64\|bf16\|f16\|i64\|i32\|i8\|u8\|bool\|text\)\>/
syntax match ptmSetting /\%(^\s*\|[{;]\s*\)\@<=\%(minimize\|using\|clip\|steps\|epochs\|accumulate\|evaluate\|group\|freeze\|run\|average\|stop\|prefix\|ignore\)\>\%(\s\+[^=,{[:space:]]\)\@=/
syntax match ptmBlock /\<\%(data\|train\|stage\|weights\)\>\%(\s*{\|\s\+\h\w*\s*{\)\@=/
syntax match ptmKeyword /\<\%(import\|as\|fn\|module\|param\|state\|const\|update\|reset\|emit\|return\|for\|in\|if\|else\|scan\|carrying\|until\|share\)\>/
syntax match ptmOperator /\<\%(or\|and\|not\)\>/
syntax match ptmLiteral /\<\%(true\|false\|none\)\>/
syntax match ptmName /\%(\<\%(fn\|module\)\s\+\)\@<=\h\w*/
syntax match ptmNumber /\<\d\+\%(\.\d\+\)\=\%([eE][-+]\=\d\+\)\=\>/
syntax region ptmString start=/"/ skip=/\\./ end=/"/ oneline contains=ptmEscape,@Spell
syntax match ptmEscape /\\[ntr"\\]/ contained
syntax match ptmComment /#.*$/ contains=@Spell

highlight default link ptmValue Identifier
highlight default link ptmConstant Constant
highlight default link ptmFunction Function
highlight default link ptmType Type
highlight default link ptmSetting Statement
highlight default link ptmBlock Structure
highlight default link ptmKeyword Keyword
highlight default link ptmOperator Operator
highlight default link ptmLiteral Boolean
highlight default link ptmName Function
highlight default link ptmNumber Number
highlight default link ptmString String
highlight default link ptmEscape SpecialChar
highlight default link ptmComment Comment

let b:current_syntax = "ptm"
