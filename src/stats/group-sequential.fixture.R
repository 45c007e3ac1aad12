# Makes group-sequential.fixture.json: designs and repeated intervals of rpact (3.3.4, R 4.2), whose integrals and
# searches are good to some 1e-8. Run: Rscript group-sequential.fixture.R > group-sequential.fixture.json
suppressMessages(library(rpact))
num <- function(x) paste0("[", paste(sprintf("%.15g", x), collapse = ", "), "]")
boundaries <- list(
  list('{"kind": "pocock"}', list(typeOfDesign = "P")), list('{"kind": "obrien-fleming"}', list(typeOfDesign = "OF")),
  list('{"kind": "wang-tsiatis", "delta": 0.25}', list(typeOfDesign = "WT", deltaWT = .25)),
  list('{"kind": "spending", "spending": {"kind": "obrien-fleming-like"}}', list(typeOfDesign = "asOF")),
  list('{"kind": "spending", "spending": {"kind": "pocock-like"}}', list(typeOfDesign = "asP")),
  list('{"kind": "spending", "spending": {"kind": "power", "rho": 2}}', list(typeOfDesign = "asKD", gammaA = 2)),
  list('{"kind": "spending", "spending": {"kind": "hwang-shih-decani", "gamma": -4}}', list(typeOfDesign = "asHSD", gammaA = -4)),
  list('{"kind": "spending", "spending": {"kind": "hwang-shih-decani", "gamma": 1}}', list(typeOfDesign = "asHSD", gammaA = 1)))
futilities <- list(list(NULL, list()),
  list('{"kind": "obrien-fleming-like"}', list(typeBetaSpending = "bsOF")), list('{"kind": "pocock-like"}', list(typeBetaSpending = "bsP")),
  list('{"kind": "hwang-shih-decani", "gamma": -2}', list(typeBetaSpending = "bsHSD", gammaB = -2)))
shares <- list((1:2) / 2, (1:5) / 5, c(.1, .15, .6, 1))
rows <- c()
for (b in boundaries) for (t in shares) for (sided in 1:2) for (f in futilities) for (binding in c(FALSE, TRUE)) {
  spends <- grepl("^as", b[[2]]$typeOfDesign)
  if (!is.null(f[[1]]) && (sided == 2 || !spends)) next
  if (is.null(f[[1]]) && binding) next
  # Thin out: binding and the harder shares only with some of the rules.
  if (binding && !(b[[2]]$typeOfDesign %in% c("asOF", "asP"))) next
  alpha <- if (sided == 1) .025 else .05
  d <- suppressWarnings(do.call(getDesignGroupSequential, c(list(alpha = alpha, beta = .1, sided = sided, informationRates = t, tolerance = 1e-10,
                                                bindingFutility = binding), b[[2]], f[[2]])))
  ch <- suppressWarnings(getDesignCharacteristics(d))
  rows <- c(rows, sprintf('{"boundary": %s, "information": %s, "sides": %d, "alpha": %g, "power": 0.9,%s "critical": %s, "spent": %s, "bounds": %s, "inflation": %s, "expected": %s}',
    b[[1]], num(t), sided, alpha,
    if (is.null(f[[1]])) "" else sprintf(' "futility": {"spending": %s, "binding": %s},', f[[1]], tolower(binding)),
    num(d$criticalValues), num(d$alphaSpent), if (is.null(f[[1]])) "[]" else num(d$futilityBounds),
    sprintf("%.15g", ch$inflationFactor), num(c(ch$averageSampleNumber0, ch$averageSampleNumber01, ch$averageSampleNumber1))))
}
data <- getDataset(n1 = c(100, 100), n2 = c(100, 100), means1 = c(.35, .30), means2 = c(0, .02), stDevs1 = c(1, 1.02), stDevs2 = c(.98, 1))
looks <- c()
for (b in boundaries[c(1, 2, 4, 5, 7)]) for (sided in 1:2) {
  d <- do.call(getDesignGroupSequential, c(list(alpha = if (sided == 1) .025 else .05, sided = sided, kMax = 3), b[[2]]))
  invisible(capture.output(r <- suppressMessages(getAnalysisResults(d, data, normalApproximation = TRUE, stage = 2))))
  invisible(capture.output(s <- suppressMessages(getStageResults(d, data, normalApproximation = TRUE, stage = 2))))
  looks <- c(looks, sprintf('{"boundary": %s, "sides": %d, "estimate": %s, "z": %s, "lower": %s, "upper": %s, "p": %s}', b[[1]], sided,
    num(s$effectSizes[1:2]), num(s$overallTestStatistics[1:2]), num(r$repeatedConfidenceIntervalLowerBounds[1:2]),
    num(r$repeatedConfidenceIntervalUpperBounds[1:2]), num(r$repeatedPValues[1:2])))
}
cat('{"designs": [\n', paste(rows, collapse = ",\n"), '\n], "looks": [\n', paste(looks, collapse = ",\n"), "\n]}\n", sep = "")
