# Makes estimate-after-stop.fixture.json. "stops": final p-values, intervals and median-unbiased estimates of rpact 3.3.4
# (stage-wise ordering), good to some 1e-6. "wedges": probabilities of two-sided designs with inner bounds by mvtnorm,
# which knows nothing of group-sequential designs. Run: Rscript estimate-after-stop.fixture.R > estimate-after-stop.fixture.json
suppressMessages({ library(rpact); library(mvtnorm) })
num <- function(x) paste0("[", paste(sprintf("%.10g", x), collapse = ", "), "]")
early <- getDataset(n1 = c(80, 60), n2 = c(80, 60), means1 = c(.42, .5), means2 = c(0, .02), stDevs1 = c(1, 1.02), stDevs2 = c(.98, 1))
late <- getDataset(n1 = c(80, 60, 60), n2 = c(80, 60, 60), means1 = c(.22, .2, .3), means2 = c(0, .02, .01), stDevs1 = c(1, 1.02, .99), stDevs2 = c(.98, 1, 1))
weak <- getDataset(n1 = c(80, 60, 60), n2 = c(80, 60, 60), means1 = c(-.1, .05, .02), means2 = c(0, .02, .01), stDevs1 = c(1, 1.02, .99), stDevs2 = c(.98, 1, 1))
names <- list(asOF = '{"kind": "spending", "spending": {"kind": "obrien-fleming-like"}}', asP = '{"kind": "spending", "spending": {"kind": "pocock-like"}}',
  OF = '{"kind": "obrien-fleming"}', P = '{"kind": "pocock"}')
stops <- c()
for (b in names(names)) for (sided in 1:2) for (data in list(early, late, weak)) {
  d <- getDesignGroupSequential(kMax = 3, alpha = if (sided == 1) .025 else .05, sided = sided, typeOfDesign = b, informationRates = c(.4, .7, 1), tolerance = 1e-10)
  invisible(capture.output(suppressMessages({ r <- getAnalysisResults(d, data, normalApproximation = TRUE); s <- getStageResults(d, data, normalApproximation = TRUE) })))
  k <- r$finalStage; if (is.na(k)) next
  stops <- c(stops, sprintf('{"boundary": %s, "sides": %d, "look": %d, "estimate": %.10g, "z": %.10g, "p": %.10g, "lower": %.10g, "upper": %.10g, "median": %.10g}', names[[b]], sided, k - 1,
    s$effectSizes[k], s$overallTestStatistics[k], r$finalPValues[k], r$finalConfidenceIntervalLowerBounds[k], r$finalConfidenceIntervalUpperBounds[k], r$medianUnbiasedEstimates[k]))
}
wedges <- c()
# The bounds are given, not searched: what is checked are the probabilities of crossing them.
for (w in list(list(t = c(1, 2, 3) / 3, c = c(3.7, 2.5, 2), u = c(.1, 1, 2)), list(t = c(.2, .6, 1), c = c(2.44, 2.26, 2.3), u = c(.15, 1.2, 2.3)))) for (drift in c(0, 1.5, -1.5, 3.3)) {
  S <- outer(w$t, w$t, function(a, b) sqrt(pmin(a, b) / pmax(a, b))); m <- drift * sqrt(w$t)
  P <- function(lo, hi) { k <- length(lo); if (k == 1) return(pnorm(hi - m[1]) - pnorm(lo - m[1])); as.numeric(pmvnorm(lo, hi, m[1:k], sigma = S[1:k, 1:k], algorithm = Miwa(steps = 4096))) }
  inside <- function(k, lo, hi) { # over all sides of the wedge at earlier looks
    if (k == 1) return(P(lo, hi)); g <- expand.grid(rep(list(0:1), k - 1)); s <- 0
    for (i in seq_len(nrow(g))) { a <- ifelse(g[i, ] == 1, w$u[1:(k - 1)], -w$c[1:(k - 1)]); b <- ifelse(g[i, ] == 1, w$c[1:(k - 1)], -w$u[1:(k - 1)]); s <- s + P(c(a, lo), c(b, hi)) }
    s }
  up <- sapply(1:3, function(k) inside(k, w$c[k], 12)); down <- sapply(1:3, function(k) inside(k, -12, -w$c[k])); within <- sapply(1:3, function(k) inside(k, -w$u[k], w$u[k]))
  wedges <- c(wedges, sprintf('{"information": %s, "critical": %s, "inner": %s, "drift": %g, "up": %s, "down": %s, "within": %s}', num(w$t), num(w$c), num(w$u), drift, num(up), num(down), num(within)))
}
cat('{"stops": [\n', paste(stops, collapse = ",\n"), '\n], "wedges": [\n', paste(wedges, collapse = ",\n"), "\n]}\n", sep = "")
