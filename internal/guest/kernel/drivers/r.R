# Runs code that comes over the socket on descriptor 3, see package kernel.
local({
  Sys.unsetenv("AGB_KERNEL_R") # where it was
  # The lines as one text, where bytes that are no characters are told as such.
  text_of <- function(s) iconv(enc2utf8(paste(s, collapse = "\n")), "UTF-8", "UTF-8", sub = "byte")
  quote_json <- function(s) {
    points <- utf8ToInt(text_of(s))
    if (length(points) == 0 || anyNA(points)) return("\"\"")
    out <- intToUtf8(points, multiple = TRUE)
    escaped <- points < 32L | points == 34L | points == 92L
    out[escaped] <- sprintf("\\u%04x", points[escaped])
    paste0("\"", paste(out, collapse = ""), "\"")
  }
  # R cannot open a socket that it has. The programs between live as long as it.
  requests <- pipe("trap '' INT; exec cat <&3", "rb")
  answers <- pipe("trap '' INT; exec cat >&3", "wb")
  parallel:::closeFD(3L) # programs that the code starts would have it
  tell <- function(kind, ...) {
    data <- charToRaw(enc2utf8(paste0(...)))
    writeBin(c(charToRaw(sprintf("%s %d\n", kind, length(data))), data), answers)
    flush(answers)
  }
  header <- function() {
    line <- raw()
    repeat {
      b <- readBin(requests, "raw", 1L)
      if (length(b) == 0L) quit(save = "no")
      if (b == as.raw(10L)) return(strsplit(rawToChar(line), " ", fixed = TRUE)[[1]])
      line <- c(line, b)
    }
  }
  receive <- function(n) {
    data <- raw()
    while (length(data) < n) {
      more <- readBin(requests, "raw", n - length(data))
      if (length(more) == 0L) quit(save = "no")
      data <- c(data, more)
    }
    data
  }
  # The most memory that this process has had, in bytes. See proc(5) on status.
  peak <- function() {
    line <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
    if (length(line) == 0) 0 else as.numeric(gsub("[^0-9]", "", line)) * 1024
  }
  clip <- function(s) {
    s <- text_of(s)
    if (nchar(s) <= 60000L) s else substring(s, nchar(s) - 60000L)
  }

  digits <- charToRaw("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  base64 <- function(data) {
    part <- function(from) {
      bytes <- as.integer(data[from:min(from + 3e5 - 1, length(data))])
      missing <- -length(bytes) %% 3L
      b <- matrix(c(bytes, integer(missing)), 3L)
      out <- digits[1L + rbind(
        b[1L, ] %/% 4L, b[1L, ] %% 4L * 16L + b[2L, ] %/% 16L, b[2L, ] %% 16L * 4L + b[3L, ] %/% 64L, b[3L, ] %% 64L)]
      out[length(out) + 1L - seq_len(missing)] <- charToRaw("=")
      rawToChar(out)
    }
    paste(vapply(seq(1, length(data), 3e5), part, ""), collapse = "")
  }

  # Plots. A page is a file in a folder of the run's until it is shown.
  owner <- Sys.getpid()
  folder <- NULL # NULL until the run draws
  opened <- 0L # devices of the run
  drawn <- 0L # grows with each plot that begins
  watching <- FALSE
  main <- NULL # what the code evaluated to, as printed
  pictured <- FALSE # whether printing it has drawn instead
  bounded <- function(value, least, most, otherwise) {
    fits <- is.numeric(value) && length(value) == 1L && is.finite(value)
    if (fits) min(max(value, least), most) else otherwise
  }
  # R opens this where code draws and has opened no device itself. The options
  # are those of notebooks, sizes are in inches.
  device <- function(width = getOption("repr.plot.width"), height = getOption("repr.plot.height"), pointsize = 12, ...) {
    suspendInterrupts(suppressWarnings({
      before <- length(grDevices::dev.list())
      missed <- function() length(grDevices::dev.list()) == before
      attempt <- function(code) tryCatch(code, error = function(e) NULL)
      # A fork of the interpreter has nothing to show.
      if (Sys.getpid() == owner) attempt({
        if (is.null(folder)) {
          path <- tempfile("plots", tempdir(check = TRUE))
          if (!dir.create(path, mode = "0700")) stop("no folder")
          folder <<- path
        }
        watch()
        opened <<- opened + 1L
        drawn <<- drawn + 1L
        name <- file.path(folder, sprintf("%04d-%%04d", opened))
        res <- bounded(getOption("repr.plot.res"), 30, 300, 100)
        width <- bounded(width, 1, 4000 / res, 7)
        height <- bounded(height, 1, 4000 / res, 5)
        pointsize <- bounded(pointsize, 1, 100, 12)
        if (capabilities("png"))
          attempt(grDevices::png(paste0(name, ".png"), width, height, "in", pointsize, res = res, type = "cairo"))
        if (missed()) attempt(grDevices::svg(paste0(name, ".svg"), width, height, pointsize))
        # What is drawn can be copied to another device, as from a screen.
        if (!missed()) grDevices::dev.control("enable")
      })
      if (missed()) grDevices::pdf(NULL)
    }))
    invisible()
  }
  # Has pages shown when others follow, and when the code quits.
  watch <- function() {
    if (watching) return()
    watching <<- TRUE
    turned <- function() suspendInterrupts({
      drawn <<- drawn + 1L
      show(FALSE)
    })
    setHook("before.plot.new", turned)
    setHook("before.grid.newpage", turned)
    reg.finalizer(environment(watch), function(e) if (finish()) close(answers), onexit = TRUE)
  }
  # Shows the pages that are written; at the end of the run all are, and the
  # last may be what the code evaluated to.
  show <- function(end) {
    if (is.null(folder) || Sys.getpid() != owner) return()
    paths <- list.files(folder, full.names = TRUE)
    for (path in paths) tryCatch({
      size <- file.size(path)
      if (size > 0 || end) {
        data <- readBin(path, "raw", size)
        unlink(path)
        form <- if (length(grepRaw("IEND|</svg>", data, max(1, size - 11))) == 0) "" # the disk was full
          else if (endsWith(path, ".png")) paste0("\"image/png\":\"", base64(data), "\"")
          else paste0("\"image/svg+xml\":", quote_json(rawToChar(data)))
        evaluated <- end && pictured && path == paths[length(paths)]
        if (evaluated) main <<- NULL
        marks <- sprintf("\"main\":%s,\"truncated\":%s", tolower(evaluated), tolower(form == ""))
        tell("item", "{", marks, ",\"data\":{", form, "}}")
      }
    }, error = function(e) NULL)
  }
  # Closes the devices of the run, shows what they have, and reports whether
  # there were any.
  finish <- function() {
    if (is.null(folder) || Sys.getpid() != owner) return(FALSE)
    current <- grDevices::dev.cur()
    for (i in grDevices::dev.list()) tryCatch({
      path <- attr(.Devices[[i]], "filepath")
      if (is.character(path) && startsWith(path, folder)) grDevices::dev.off(i)
    }, error = function(e) NULL)
    if (current %in% grDevices::dev.list()) grDevices::dev.set(current)
    show(TRUE)
    unlink(folder, recursive = TRUE)
    folder <<- NULL
    opened <<- 0L
    TRUE
  }

  failure <- NULL
  fail <- function(e, calls = NULL) {
    text <- paste0("Error: ", conditionMessage(e))
    if (length(calls) > 0) text <- c(text, "Calls:", calls)
    writeLines(text, stderr())
    failure <<- list(name = class(e)[1], value = conditionMessage(e), traceback = text)
  }
  # Warns without the call when it is the driver's. Warnings of 2 are errors.
  warned <- function(w) if (getOption("warn") < 2 && identical(conditionCall(w), quote(eval(parsed[[i]], globalenv())))) {
    w["call"] <- list(NULL)
    warning(w)
    invokeRestart("muffleWarning")
  }
  cell <- 0L
  place <- function(ref) if (is.null(ref)) "" else sprintf(" at %s:%d", attr(ref, "srcfile")$filename, ref[1L])
  first_line <- function(call) paste(deparse(call, nlines = 1L), collapse = " ")
  execute <- function(code) {
    cell <<- cell + 1L
    file <- srcfilecopy(sprintf("cell%d.R", cell), code)
    parsed <- tryCatch(parse(text = code, srcfile = file, keep.source = TRUE, encoding = "UTF-8"), error = function(e) { fail(e); expression() })
    for (i in seq_along(parsed)) {
      base <- sys.nframe()
      calls <- NULL
      value <- tryCatch(
        withCallingHandlers(withVisible(eval(parsed[[i]], globalenv())), warning = warned, error = function(e) {
          stack <- sys.calls()[-sys.nframe()]
          # A call knows where it was made, but for one that is all of the
          # expression. That of the handler knows the statement that has failed.
          keep <- vapply(stack, function(call) {
            ref <- attr(call, "srcref")
            text <- first_line(call)
            if (!grepl("^[.](handleSimpleError|signalSimpleWarning)[(]", text)) return(paste0(text, place(ref)))
            if (is.null(ref)) "" else paste0(as.character(ref)[1L], place(ref))
          }, "")
          keep <- keep[seq_along(keep) > base]
          from <- which(startsWith(keep, "eval("))
          keep <- if (length(from) > 0) keep[seq_along(keep) > max(from[seq_len(min(2L, length(from)))])] else keep
          keep <- keep[keep != ""]
          whole <- first_line(parsed[[i]])
          if (length(keep) == 0 || keep[1L] == whole) keep[1L] <- paste0(whole, place(attr(parsed, "srcref")[[i]]))
          calls <<- keep
        }),
        error = function(e) { fail(e, calls); NULL }
      )
      if (!is.null(failure)) return(invisible())
      if (!value$visible) next
      # Printing calls code, too.
      before <- drawn
      tryCatch(if (i < length(parsed)) print(value$value) else {
        main <<- utils::capture.output(invisible(print(value$value)))
        pictured <<- length(main) == 0 && drawn > before
      }, error = function(e) fail(e))
      if (!is.null(failure)) return(invisible())
    }
  }

  options(device = device, warn = 1)
  suspendInterrupts(repeat {
    line <- header()
    if (line[1] != "run") {
      receive(as.integer(line[2]))
      next
    }
    code <- receive(as.integer(line[4]))
    if (line[5] != "-") receive(as.integer(line[5]))
    code <- rawToChar(code[code != as.raw(0L)])
    Encoding(code) <- "UTF-8"
    failure <- main <- NULL
    pictured <- FALSE
    # What came while nothing ran is for nobody.
    tryCatch(allowInterrupts(Sys.sleep(0)), interrupt = function(e) NULL)
    before <- sum(proc.time()[c(1, 2, 4, 5)], na.rm = TRUE)
    tryCatch(allowInterrupts(execute(strsplit(code, "\r?\n")[[1]])), interrupt = function(e) {
      writeLines("Interrupted", stderr())
      failure <<- list(name = "interrupt", value = "the code was interrupted", traceback = "")
    })
    finish()
    if (!is.null(main)) tell("item", "{\"main\":true,\"data\":{\"text/plain\":", quote_json(main), "}}")
    used <- sum(proc.time()[c(1, 2, 4, 5)], na.rm = TRUE) - before
    error <- if (is.null(failure)) "null" else paste0(
      "{\"name\":", quote_json(clip(failure$name)), ",\"value\":", quote_json(clip(failure$value)),
      ",\"traceback\":", quote_json(clip(failure$traceback)), "}")
    tell("done", sprintf("{\"cpu_us\":%.0f,\"max_rss\":%.0f,\"error\":%s}", max(used, 0) * 1e6, peak(), error))
    if (line[2] == "last") break
  })
  close(answers)
  quit(save = "no", status = if (is.null(failure)) 0L else 1L)
}, new.env(parent = .BaseNamespaceEnv)) # where names of the code hide none of R's
