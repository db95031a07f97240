import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'
import { begin, findOut, loadCatalogue } from './lib/state.svelte'

begin()
void loadCatalogue()
void findOut()
mount(App, { target: document.getElementById('app')! })
