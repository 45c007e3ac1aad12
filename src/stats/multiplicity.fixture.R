# Makes multiplicity.fixture.json: p.adjust of R 4.2. Run: Rscript multiplicity.fixture.R > multiplicity.fixture.json
families <- list(
  c(.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1),
  c(.03, .001, .04, .04, .2, .011), c(.05), c(1e-40, .9, 1e-12, .5, .049, .049, .02), c(.021, .022, .023, .024),
  round((((1:40) * 0.618034) %% 1)^4, 12), c(0, 1, .5))
methods <- c("bonferroni", "holm", "hochberg", "hommel", "BH", "BY")
rows <- vapply(families, function(p) {
  adjusted <- vapply(methods, function(m) sprintf('"%s": [%s]', m, paste(sprintf("%.16g", p.adjust(p, m)), collapse = ", ")), "")
  sprintf('{"p": [%s], %s}', paste(sprintf("%.16g", p), collapse = ", "), paste(adjusted, collapse = ",\n  "))
}, "")
cat("[\n", paste(rows, collapse = ",\n"), "\n]\n", sep = "")
