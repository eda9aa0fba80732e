# Runs the code on standard input and reports its result on descriptor 4.
local({
  quote_json <- function(s) {
    s <- enc2utf8(paste(s, collapse = "\n"))
    points <- utf8ToInt(s)
    if (length(points) == 0 || anyNA(points)) return("\"\"")
    out <- vapply(points, function(p) {
      if (p == 34L) "\\\"" else if (p == 92L) "\\\\" else if (p < 32L) sprintf("\\u%04x", p) else intToUtf8(p)
    }, "")
    paste0("\"", paste(out, collapse = ""), "\"")
  }
  main <- NULL
  failure <- NULL
  fail <- function(e, calls = NULL) {
    text <- paste0("Error: ", conditionMessage(e))
    if (length(calls) > 0) text <- c(text, "Calls:", calls)
    writeLines(text, stderr())
    failure <<- list(name = class(e)[1], value = conditionMessage(e), traceback = text)
  }
  options(device = function(...) grDevices::pdf(NULL), warn = 1)
  input <- file("stdin", encoding = "UTF-8")
  code <- readLines(input, warn = FALSE)
  close(input)
  parsed <- tryCatch(parse(text = code, keep.source = TRUE, encoding = "UTF-8"), error = function(e) { fail(e); expression() })
  for (i in seq_along(parsed)) {
    base <- sys.nframe()
    calls <- NULL
    value <- tryCatch(
      withCallingHandlers(withVisible(eval(parsed[[i]], globalenv())), error = function(e) {
        stack <- sys.calls()
        keep <- vapply(stack, function(call) paste(deparse(call, nlines = 1L), collapse = " "), "")
        keep <- keep[seq_along(keep) > base]
        from <- which(startsWith(keep, "eval("))
        keep <- if (length(from) > 0) keep[seq_along(keep) > max(from[seq_len(min(2L, length(from)))])] else keep
        calls <<- keep[!startsWith(keep, ".handleSimpleError") & !startsWith(keep, "h(simpleError")]
      }),
      error = function(e) { fail(e, calls); NULL }
    )
    if (!is.null(failure)) break
    if (!value$visible) next
    if (i < length(parsed)) print(value$value) else main <- utils::capture.output(print(value$value))
  }
  item <- if (is.null(main)) "" else paste0("{\"main\":true,\"data\":{\"text/plain\":", quote_json(main), "}}")
  error <- if (is.null(failure)) "null" else paste0(
    "{\"name\":", quote_json(failure$name), ",\"value\":", quote_json(failure$value), ",\"traceback\":", quote_json(failure$traceback), "}")
  report <- pipe("cat >&4", "wb")
  writeBin(charToRaw(enc2utf8(paste0("{\"items\":[", item, "],\"error\":", error, "}"))), report)
  close(report)
  if (!is.null(failure)) quit(save = "no", status = 1L)
})
