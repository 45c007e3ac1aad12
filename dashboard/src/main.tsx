// The page begins here.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AssayError } from '../../src/errors.ts';
import { App, loadExperimentPage } from './shell/app.tsx';
import './theme.css';
import { startLive } from './server/live.ts';
import { askAhead } from './server/questions.ts';
import { whenSignedOut } from './server/request.ts';
import { applyTheme } from './shell/theme.ts';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // The live stream says what is stale; a minute covers what it cannot know.
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      // The server may be this very machine: a browser without a network is no reason not to ask it.
      networkMode: 'always',
      retry: (tries, fault) => tries < 2 && fault instanceof AssayError && fault.retryable,
    },
  },
});
applyTheme();
whenSignedOut(() => void queryClient.invalidateQueries({ queryKey: ['session'] }));
askAhead(queryClient, location);
if (location.pathname.startsWith('/experiments/')) void loadExperimentPage();
startLive(queryClient);
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
